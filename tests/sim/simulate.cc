// The simulator's command line; see usage below.
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sim/mutants.h"
#include "sim/run.h"
#include "sim/search.h"

namespace {

using namespace idem::sim;

constexpr const char* usage =
    "simulate --histories N [--seed S] [--jobs J]   runs N random histories\n"
    "         … --queues                            with an AMQP-like source instead of a log; also with --replay\n"
    "simulate --replay SEED [--whole]               prints one, made as small as it still shows its "
    "violation\n"
    "simulate --mutants [--seed S] [--histories N]  breaks each promise on purpose and wants to see it "
    "caught\n"
    "simulate --exhaustive [--faults F] [--deviations D] [--histories N]\n"
    "                                               all histories of a tiny world with at most F faults\n";

/// Below this many a rare event may be missing by chance.
constexpr std::uint64_t enough_to_see_everything = 10'000;

struct Arguments {
  enum class Mode { none, histories, replay, mutants, exhaustive } mode = Mode::none;
  std::uint64_t histories = 0, seed = 1, replay = 0;
  unsigned jobs = 1;
  bool whole = false;
  Limits limits;
  SearchLimits search;
};

template <class Number>
void read(Number& number, const char* text) {
  if (!text) throw std::invalid_argument("a number is missing");
  const char* end = text + std::strlen(text);
  const auto result = std::from_chars(text, end, number);
  if (result.ec != std::errc{} || result.ptr != end)
    throw std::invalid_argument(std::string("not a number: ") + text);
}

Arguments parse(char** at) {
  using Mode = Arguments::Mode;
  Arguments a;
  const auto choose = [&a](Mode mode) {
    if (a.mode == Mode::none || a.mode == Mode::histories) a.mode = mode;
  };
  for (++at; *at; ++at) {
    const std::string_view word = *at;
    if (word == "--histories") {
      read(a.histories, *++at);
      if (a.mode == Mode::none) a.mode = Mode::histories;
    } else if (word == "--seed") {
      read(a.seed, *++at);
    } else if (word == "--jobs") {
      read(a.jobs, *++at);
    } else if (word == "--replay") {
      read(a.replay, *++at);
      choose(Mode::replay);
    } else if (word == "--queues") {
      a.limits.queue = true;
    } else if (word == "--whole") {
      a.whole = true;
    } else if (word == "--mutants") {
      choose(Mode::mutants);
    } else if (word == "--exhaustive") {
      choose(Mode::exhaustive);
    } else if (word == "--faults") {
      read(a.search.faults, *++at);
    } else if (word == "--deviations") {
      read(a.search.deviations, *++at);
    } else {
      throw std::invalid_argument("unknown argument: " + std::string(word));
    }
  }
  if (a.mode == Mode::none) throw std::invalid_argument("nothing to do");
  return a;
}

int run(const Arguments& a) {
  const Summary summary = run_histories(a.seed, a.histories, a.jobs, a.limits);
  bool good = summary.violations == 0;
  for (std::size_t i = 0; i < summary.sightings.of.size(); ++i) {
    // Queues have no offset commits to be refused and no positions to be carried on.
    const bool missing = summary.sightings.of[i] == 0 && a.histories >= enough_to_see_everything && !a.limits.queue;
    std::printf("  %-56s %12llu%s\n", Sightings::name(i),
                static_cast<unsigned long long>(summary.sightings.of[i]), missing ? "  NEVER SEEN" : "");
    good &= !missing;
  }
  for (const Violation& v : summary.first)
    std::printf("violation %s: %s; replay with --replay %llu\n", v.verdict.invariant.c_str(),
                v.verdict.detail.c_str(), static_cast<unsigned long long>(v.seed));
  std::printf("seeds %llu to %llu, %.0f histories/s per core, hash %016llx\n",
              static_cast<unsigned long long>(a.seed),
              static_cast<unsigned long long>(a.seed + a.histories - 1),
              static_cast<double>(summary.histories) / summary.cpu_seconds,
              static_cast<unsigned long long>(summary.hash));
  std::printf("histories %llu violations %llu\n", static_cast<unsigned long long>(summary.histories),
              static_cast<unsigned long long>(summary.violations));
  return good ? 0 : 1;
}

int replay(const Arguments& a) {
  Sightings unused;
  const Verdict whole = run_history(a.replay, unused, a.limits);
  const Limits limits = a.whole || !whole.violated() ? a.limits : shrink(a.replay, whole.invariant, a.limits);
  run_history(a.replay, unused, limits, /*tracing=*/true);
  if (!whole.violated()) {
    std::printf("seed %llu: nothing violated\n", static_cast<unsigned long long>(a.replay));
    return 0;
  }
  std::printf("seed %llu: %s %s\n", static_cast<unsigned long long>(a.replay), whole.invariant.c_str(),
              whole.detail.c_str());
  return 1;
}

void silence_logs() {
  auto silent = std::make_shared<spdlog::logger>("idem", std::make_shared<spdlog::sinks::null_sink_mt>());
  silent->set_level(spdlog::level::off);
  spdlog::register_logger(silent);
}

}  // namespace

int main(int, char** argv) try {
  Arguments a = parse(argv);
  silence_logs();
  switch (a.mode) {
    case Arguments::Mode::histories:
      return run(a);
    case Arguments::Mode::replay:
      return replay(a);
    case Arguments::Mode::mutants:
      return run_mutants(a.seed, a.histories ? a.histories : 500'000) ? 0 : 1;
    case Arguments::Mode::exhaustive:
      if (a.histories) a.search.histories = a.histories;
      return run_search(a.search) ? 0 : 1;
    case Arguments::Mode::none:
      break;
  }
  return 2;
} catch (const std::invalid_argument& e) {
  std::fprintf(stderr, "simulate: %s\n%s", e.what(), usage);
  return 2;
}
