// idem_kill: kills a real consumer again and again and checks that it neither loses a message nor applies one twice.
// tests/kill builds and starts it; see there for the options.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kills/broker.h"
#include "kills/called_service.h"
#include "kills/chapter.h"
#include "kills/options.h"
#include "support/require.h"

namespace {

using namespace idem::kills;
using Clock = std::chrono::steady_clock;

constexpr std::size_t cycles_between_checks = 50;
constexpr std::chrono::milliseconds longest_life{90};
// The publisher has to connect first.
constexpr std::chrono::milliseconds longest_life_of_relay{200};
// Each message takes a call and two commits.
constexpr std::chrono::milliseconds longest_life_of_external{150};
// The raw loop tells the broker nothing before it has lived for half a second.
constexpr std::chrono::milliseconds longest_raw_life{1'500};
// From here on every failpoint has had its turn often enough to blame the one that was never reached.
constexpr std::size_t enough_cycles_for_all_points = 1'000;

using Source = Options::Source;

bool is_of_outbox(std::string_view failpoint) {
  return failpoint.starts_with("relay.") || failpoint.starts_with("outbox.");
}

bool is_of_claims(std::string_view failpoint) { return failpoint == "worker.claimed"; }

// A handler's writes, and undoing them.
bool is_of_transactions(std::string_view failpoint) {
  return failpoint == "store.first_write" || failpoint == "store.span_undone";
}

bool reaches(const Options& options, std::string_view failpoint) {
  if (is_of_outbox(failpoint)) return options.relay;
  if (is_of_claims(failpoint)) return options.external && !options.unclaimed;
  return !options.external || !is_of_transactions(failpoint);
}

std::chrono::milliseconds longest_life_of(const Options& options) {
  if (!options.idem) return longest_raw_life;
  if (options.external) return longest_life_of_external;
  return options.relay ? longest_life_of_relay : longest_life;
}

std::unique_ptr<Outlet> make_outlet([[maybe_unused]] int chapter) {
#ifdef IDEM_KILL_RABBITMQ
  if (chapter % 3 != 2) return make_rabbit_outlet(chapter % 3 == 0 ? "classic" : "quorum");
#endif
  return make_kafka_outlet();
}

std::unique_ptr<Broker> make_broker(Source source) {
#ifdef IDEM_KILL_RABBITMQ
  if (source == Source::rabbitmq) return make_rabbitmq();
#endif
  return make_kafka(source == Source::real_kafka);
}

class Run {
 public:
  explicit Run(Options options)
      : options_(std::move(options)),
        broker_(make_broker(options_.source)),
        endings_(options_.seed, options_.points, longest_life_of(options_), [this](std::string_view point) {
          return broker_->reaches(point) && reaches(options_, point);
        }) {}

  int all() {
    try {
      for (int chapter = 0; endings_.kills() < options_.cycles; ++chapter) read_chapter(chapter);
    } catch (const ChapterFailed& failure) {
      failed_ = failure.what();
    }
    return report();
  }

 private:
  void read_chapter(int number) {
    const auto kinds = broker_->kinds();
    Broker::Kind kind = kinds[static_cast<std::size_t>(number) % kinds.size()];
    if (!options_.idem) kind.mode = "fixed";
    const bool group = kind.mode == std::string_view("group");
    // Joining a group is ten times slower than reading fixed partitions: fewer of these.
    const std::size_t length =
        std::clamp<std::size_t>(options_.cycles / (group ? 20 : 4), 5, group ? 60 : 400);

    ChapterOptions chapter_options;
    chapter_options.topic = idem::test::unique_name("kill");
    chapter_options.consumer = options_.consumer;
    chapter_options.idem = options_.idem;
    chapter_options.kind = kind;
    chapter_options.seed = options_.seed + static_cast<std::uint64_t>(number);
    broker_->create(chapter_options.topic, kind);
    if (options_.relay) {
      if (!outlets_[number % 3]) outlets_[number % 3] = make_outlet(number);
      chapter_options.outlet = outlets_[number % 3].get();
      chapter_options.outlet->create(chapter_options.topic);
    }

    std::optional<CalledService> service;
    if (options_.external) chapter_options.service = &service.emplace(options_.service, chapter_options.seed);
    chapter_options.claims = !options_.unclaimed;

    Chapter chapter(chapter_options, *broker_, endings_);
    const std::size_t until = std::min(endings_.kills() + length, options_.cycles);
    while (endings_.kills() < until && !chapter.full()) {
      const std::size_t before = endings_.kills();
      chapter.cycle();
      const bool killed = endings_.kills() > before;
      if (killed && endings_.kills() % cycles_between_checks == 0) note(chapter, chapter.check_after_kill(), "");
    }
    const std::string to = chapter_options.outlet ? ", to a " + chapter_options.outlet->kind() : "";
    note(chapter, chapter.finish(),
         ", chapter " + std::to_string(number + 1) + " done (" + kind.ordering + ", " + kind.mode + to + ")");
    messages_ += chapter.messages();
    copies_ += chapter.copies_relayed();
    calls_ += chapter.calls();
    calls_repeated_ += chapter.calls_repeated();
    calls_unanswered_ += chapter.calls_unanswered();
  }

  void note(const Chapter& chapter, const Verdict& verdict, const std::string& what) {
    std::printf("%6zu kills, %zu messages, %zu to go%s\n", endings_.kills(), messages_ + chapter.messages(),
                verdict.unfinished, what.c_str());
    for (const std::string& detail : verdict.details) std::printf("  FLAW %s\n", detail.c_str());
    for (const auto& [flaw, count] : verdict.count) flaws_[flaw] += count;
    std::fflush(stdout);
    if (!verdict.clean() && options_.idem)
      throw ChapterFailed("the check after " + std::to_string(endings_.kills()) +
                          " kills found flaws; what is left is in " + chapter.directory().string() +
                          " (kept with --keep)");
  }

  int report() const {
    const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    std::printf("\n%zu at random microseconds\n", endings_.kills_at_random());
    bool all_reached = true;
    if (options_.points) {
      for (const Failpoint& point : endings_.all_points()) {
        const auto errors = endings_.errors().find(point.name);
        std::printf("%6zu at %s", endings_.kills_at(point.name), std::string(point.name).c_str());
        if (errors != endings_.errors().end()) std::printf(", and %zu times told to fail there", errors->second);
        std::printf("\n");
      }
      for (const auto name : endings_.never_reached()) {
        std::printf("never reached: %s\n", std::string(name).c_str());
        all_reached = false;
      }
    }
    std::printf("%zu messages, %.0f s, seed %lu\n", messages_, seconds, options_.seed);
    if (options_.relay) std::printf("%zu copies sent by the outbox, each with the id of its original\n", copies_);
    if (options_.external)
      std::printf("%zu calls, %zu of them again; %zu answers lost after the effect\n", calls_, calls_repeated_,
                  calls_unanswered_);
    for (const auto& [flaw, count] : flaws_)
      std::printf("FLAW %zu × %s\n", count, std::string(to_string(flaw)).c_str());
    if (!failed_.empty()) std::printf("FAILED: %s\n", failed_.c_str());
    const auto count = [&](Flaw flaw) { return flaws_.contains(flaw) ? flaws_.at(flaw) : 0; };
    if (options_.external)
      std::printf("cycles %zu lost %zu unflagged %zu keys-changed %zu\n", endings_.kills(), count(Flaw::lost),
                  count(Flaw::unflagged), count(Flaw::key_changed));
    else
      std::printf("cycles %zu lost %zu doubled %zu\n", endings_.kills(), count(Flaw::lost) + count(Flaw::not_relayed),
                  count(Flaw::doubled) + count(Flaw::relayed_twice));
    const bool points_ok = all_reached || options_.cycles < enough_cycles_for_all_points;
    return flaws_.empty() && failed_.empty() && points_ok ? 0 : 1;
  }

  const Options options_;
  const std::unique_ptr<Broker> broker_;
  Endings endings_;
  const Clock::time_point started_ = Clock::now();
  std::map<Flaw, std::size_t> flaws_;
  std::size_t messages_ = 0, copies_ = 0;
  std::size_t calls_ = 0, calls_repeated_ = 0, calls_unanswered_ = 0;
  std::unique_ptr<Outlet> outlets_[3];
  std::string failed_;
};

}  // namespace

int main(int count, char** words) {
  try {
    const Options options = parse_options(count, words);
    if (const auto missing = missing_part(options)) {
      const bool required = idem::test::required(missing->part);
      std::printf("%s: no %s: %s\n", required ? "FAILED" : "SKIPPED", missing->part, missing->why.c_str());
      return required ? 1 : 77;
    }
    const bool real = options.source != Source::mock_kafka;
    std::printf("killing %zu times, %s%s, seed %lu\n", options.cycles, real ? "real " : "in-process ",
                part_of(options.source), options.seed);
    return Run(options).all();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem_kill: %s\n", error.what());
    return 1;
  }
}
