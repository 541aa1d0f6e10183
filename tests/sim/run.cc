#include "sim/run.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "core/mutant.h"
#include "sim/store.h"
#include "sim/world.h"

namespace idem::sim {
namespace {

constexpr std::size_t violations_kept = 10;
constexpr std::uint64_t chunk = 256;

double cpu_seconds_of_this_thread() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

Verdict run_history(std::uint64_t seed, Sightings& sightings, const Limits& limits, bool tracing) {
  History history(Choices(seed), sightings, tracing);
  Scenario& scenario = history.scenario;
  scenario = Scenario::draw(history.choices);
  if (limits.queue) scenario.make_queue();
  if (limits.external) scenario.make_external();
  scenario.faults &= limits.faults;
  scenario.messages = std::min(scenario.messages, limits.messages);
  scenario.steps = std::min(scenario.steps, limits.steps);
  World(history).run();
  return {history.violated() ? history.violated() : "", history.detail(), history.hash()};
}

Limits shrink(std::uint64_t seed, const std::string& invariant, const Limits& from) {
  Sightings unused;
  Limits smallest = from;
  const auto still = [&](const Limits& limits) {
    return run_history(seed, unused, limits).invariant == invariant;
  };
  const auto accept = [&](Limits smaller) {
    if (!still(smaller)) return false;
    smallest = smaller;
    return true;
  };
  for (int pass = 0; pass < 2; ++pass) {
    for (int fault = 0; fault < static_cast<int>(Fault::count); ++fault) {
      Limits fewer = smallest;
      fewer.faults &= ~(1u << fault);
      if (fewer.faults != smallest.faults) accept(fewer);
    }
    for (int messages = 1; messages < std::min(smallest.messages, 9); ++messages) {
      Limits fewer = smallest;
      fewer.messages = messages;
      if (accept(fewer)) break;
    }
    for (int steps = 1; steps < std::min(smallest.steps, 120); ++steps) {
      Limits fewer = smallest;
      fewer.steps = steps;
      if (accept(fewer)) break;
    }
  }
  return smallest;
}

Summary run_histories(std::uint64_t first, std::uint64_t count, unsigned jobs, const Limits& limits) {
  Summary all;
  std::mutex mutex;
  std::atomic<std::uint64_t> next{0};
  const core::Mutant mutant = core::active_mutant;
  const StoreMutant store_mutant = active_store_mutant;
  const auto work = [&] {
    core::active_mutant = mutant;
    active_store_mutant = store_mutant;
    const double started = cpu_seconds_of_this_thread();
    Summary own;
    for (;;) {
      const std::uint64_t begin = next.fetch_add(chunk);
      if (begin >= count) break;
      for (std::uint64_t i = begin; i < std::min(begin + chunk, count); ++i) {
        Verdict verdict = run_history(first + i, own.sightings, limits);
        ++own.histories;
        own.hash += verdict.hash;
        if (!verdict.violated()) continue;
        ++own.violations;
        if (own.first.size() < violations_kept) own.first.push_back({first + i, std::move(verdict)});
      }
    }
    own.cpu_seconds = cpu_seconds_of_this_thread() - started;
    std::lock_guard lock(mutex);
    all.histories += own.histories;
    all.hash += own.hash;
    all.violations += own.violations;
    all.first.insert(all.first.end(), own.first.begin(), own.first.end());
    all.sightings.add(own.sightings);
    all.cpu_seconds += own.cpu_seconds;
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < jobs; ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  std::sort(all.first.begin(), all.first.end(),
            [](const Violation& a, const Violation& b) { return a.seed < b.seed; });
  return all;
}

const char* name_of(Fault fault) {
  static constexpr const char* names[] = {"crash",
                                          "crash_inside",
                                          "revoke",
                                          "lose",
                                          "pause",
                                          "stop",
                                          "commit_refused",
                                          "commit_late",
                                          "answer_lost",
                                          "late_notice",
                                          "store_busy",
                                          "group_lost",
                                          "commit_failed",
                                          "commit_unknown",
                                          "store_gone",
                                          "statement_failed",
                                          "handler_retry",
                                          "handler_dead_letter",
                                          "handler_throws",
                                          "slow_handler",
                                          "wall_jump",
                                          "copy",
                                          "conflict",
                                          "no_id",
                                          "gap",
                                          "hand_back",
                                          "restore",
                                          "outage",
                                          "redrive"};
  static_assert(std::size(names) == static_cast<std::size_t>(Fault::count));
  return names[static_cast<std::size_t>(fault)];
}

}  // namespace idem::sim
