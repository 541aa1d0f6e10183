#include "tests/runtime/fixture.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <vector>

namespace idem::test {
namespace {

using namespace std::chrono_literals;

struct World {
  MemoryLog log{"payments", 3};
  MemoryStore store;

  void append(int count, int from = 0) {
    for (int i = from; i < from + count; ++i)
      log.append(i % 3, entry("m" + std::to_string(i), "payload", "key" + std::to_string(i % 7)));
  }
  Counters run(RuntimeOptions options, Handle::Function function, ExitReason expected = ExitReason::caught_up) {
    MemorySource source(log);
    Handle handler(std::move(function));
    Runtime runtime(std::move(options));
    runtime.add(source, store, handler);
    const Exit exit = runtime.run_until_caught_up();
    EXPECT_EQ(exit.reason, expected) << exit.detail;
    expect_balanced(runtime.counters());
    return runtime.counters();
  }
  std::vector<ParkedMessage> parked() { return store.ledger({"test"})->parked(); }
  void expect_each_once(int count) {
    const auto table = store.table();
    EXPECT_EQ(table.size(), static_cast<std::size_t>(count));
    for (const auto& [id, times] : table) EXPECT_EQ(times, "1") << id;
  }
};

class Orderings : public testing::TestWithParam<Ordering> {};

TEST_P(Orderings, EveryMessageHasOneEffectAndIsCommitted) {
  World world;
  world.append(1000);
  auto options = fast_options();
  options.ordering = GetParam();
  const Counters c = world.run(options, count_effect);
  EXPECT_EQ(c.done, 1000u);
  world.expect_each_once(1000);
  for (int p = 0; p < 3; ++p) EXPECT_EQ(world.log.committed(p)->first, world.log.end(p));
}

INSTANTIATE_TEST_SUITE_P(All, Orderings,
                         testing::Values(Ordering::by_partition, Ordering::by_key, Ordering::unordered));

TEST(Runtime, ASecondRunFindsNothingToDo) {
  World world;
  world.append(30);
  world.run(fast_options(), count_effect);
  const Counters c = world.run(fast_options(), count_effect);
  EXPECT_EQ(c.done, 0u);
  world.expect_each_once(30);
}

TEST(Runtime, ByKeyKeepsTheOrderOfAKeyAlsoAcrossRetries) {
  World world;
  world.append(300);
  std::mutex mutex;
  std::map<std::string, std::vector<int>> order;
  auto options = fast_options();
  options.ordering = Ordering::by_key;
  options.workers = 4;
  world.run(options, [&](const Message& m, Transaction&) {
    const int number = std::stoi(std::string(m.id.substr(1)));
    if (number % 11 == 0 && m.attempt < 3) return retry("not yet");
    std::lock_guard lock(mutex);
    order[std::string(*m.key) + "/" + std::to_string(m.partition)].push_back(number);
    return done();
  });
  std::size_t seen = 0;
  for (const auto& [lane, numbers] : order) {
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << lane;
    seen += numbers.size();
  }
  EXPECT_EQ(seen, 300u);
}

TEST(Runtime, AProducersRepeatHasNoSecondEffect) {
  World world;
  world.append(50);
  world.append(50);
  const Counters c = world.run(fast_options(), count_effect);
  EXPECT_EQ(c.done, 50u);
  EXPECT_EQ(c.duplicates, 50u);
  world.expect_each_once(50);
}

TEST(Runtime, TheSameIdWithOtherContentIsParkedAsConflict) {
  World world;
  world.log.append(0, entry("a", "one"));
  world.log.append(1, entry("a", "two"));
  const Counters c = world.run(fast_options(), count_effect);
  EXPECT_EQ(c.conflicts, 1u);
  ASSERT_EQ(world.parked().size(), 1u);
  EXPECT_EQ(world.parked()[0].reason, ParkReason::id_conflict);
  world.expect_each_once(1);
}

TEST(Runtime, TheSameIdWithOtherContentIsADuplicateIfAsked) {
  World world;
  world.log.append(0, entry("a", "one"));
  world.log.append(1, entry("a", "two"));
  auto options = fast_options();
  options.on_conflict = OnConflict::duplicate;
  EXPECT_EQ(world.run(options, count_effect).duplicates, 1u);
  EXPECT_TRUE(world.parked().empty());
}

TEST(Runtime, AFingerprintOfPartsIgnoresTheRest) {
  World world;
  world.log.append(0, entry("a", "one sent at 12:00"));
  world.log.append(1, entry("a", "one sent at 12:01"));
  auto options = fast_options();
  options.fingerprint = Fingerprint::of([](const Message& m) { return std::string(m.text().substr(0, 3)); });
  EXPECT_EQ(world.run(options, count_effect).duplicates, 1u);
}

TEST(Runtime, AMessageWithoutAnIdIsParkedNotGuessedAt) {
  World world;
  MemoryLog::Entry nameless;
  nameless.payload = "x";
  world.log.append(0, nameless);
  world.log.append(0, entry("", "y"));
  const Counters c = world.run(fast_options(), count_effect);
  EXPECT_EQ(c.parked, 2u);
  ASSERT_EQ(world.parked().size(), 2u);
  EXPECT_EQ(world.parked()[0].reason, ParkReason::no_id);
  EXPECT_EQ(world.parked()[0].payload, "x");
  EXPECT_TRUE(world.store.table().empty());
}

TEST(Runtime, ByPositionNeedsNoIdAndRunsCopiesTwice) {
  World world;
  world.log.append(0, entry("a"));
  world.log.append(0, entry("a"));
  auto options = fast_options();
  options.identity = id_from_position();
  EXPECT_EQ(world.run(options, [](const Message&, Transaction&) { return done(); }).done, 2u);
}

TEST(Runtime, ARetryLeavesNothingOfTheFailedAttempt) {
  World world;
  world.append(20);
  const Counters c = world.run(fast_options(), [](const Message& m, Transaction& tx) {
    auto outcome = count_effect(m, tx);
    if (m.attempt == 1) throw std::runtime_error("first attempt fails after writing");
    if (m.attempt == 2) throw 42;
    return outcome;
  });
  EXPECT_EQ(c.retries, 40u);
  world.expect_each_once(20);
}

TEST(Runtime, AttemptsAreBoundedThenTheMessageIsParked) {
  World world;
  world.append(3);
  auto options = fast_options();
  options.retry.attempts = 4;
  std::atomic<int> calls = 0;
  const Counters c = world.run(options, [&](const Message&, Transaction&) {
    ++calls;
    return retry("never");
  });
  EXPECT_EQ(c.parked, 3u);
  EXPECT_EQ(calls, 12);
  for (const ParkedMessage& m : world.parked()) {
    EXPECT_EQ(m.reason, ParkReason::attempts_exhausted);
    EXPECT_EQ(m.attempts, 4);
    EXPECT_EQ(m.why, "never");
  }
}

TEST(Runtime, ADeadLetterIsParkedAndItsEffectRolledBack) {
  World world;
  world.append(10);
  world.run(fast_options(), [](const Message& m, Transaction& tx) {
    auto outcome = count_effect(m, tx);
    return m.id == "m4" ? dead_letter("malformed") : outcome;
  });
  ASSERT_EQ(world.parked().size(), 1u);
  EXPECT_EQ(world.parked()[0].id, "m4");
  EXPECT_EQ(world.parked()[0].why, "malformed");
  world.expect_each_once(9);
}

TEST(Runtime, NeverMoreInFlightThanTheBudget) {
  World world;
  world.append(600);
  auto options = fast_options();
  options.budget.messages = 20;
  MemorySource source(world.log);
  std::uint64_t most = 0;
  std::mutex mutex;
  Runtime runtime(options);
  Handle handler([&](const Message&, Transaction&) {
    std::lock_guard lock(mutex);
    most = std::max(most, runtime.counters().in_flight);
    return done();
  });
  runtime.add(source, world.store, handler);
  EXPECT_EQ(runtime.run_until_caught_up(), 0);
  EXPECT_LE(most, 20u);
  EXPECT_EQ(runtime.counters().done, 600u);
}

TEST(Runtime, AMessageLargerThanTheBudgetIsHandledAlone) {
  World world;
  world.log.append(0, entry("large", std::string(5'000, 'x')));
  world.append(10);
  auto options = fast_options();
  options.budget.bytes = 1'000;
  EXPECT_EQ(world.run(options, count_effect).done, 11u);
}

TEST(Runtime, HolesInTheOffsetsDoNotHoldTheCommitBack) {
  World world;
  world.append(3);
  world.log.skip(0, 5);
  world.append(3, 3);
  world.log.skip(1, 2);
  world.run(fast_options(), count_effect);
  for (int p = 0; p < 3; ++p) EXPECT_EQ(world.log.committed(p)->first, world.log.end(p));
}

TEST(Runtime, FailingCommitsAreRepeated) {
  World world;
  world.append(30);
  MemorySource source(world.log);
  source.fail_next_commits(3);
  Handle handler(count_effect);
  Runtime runtime(fast_options());
  runtime.add(source, world.store, handler);
  EXPECT_EQ(runtime.run_until_caught_up(), 0);
  for (int p = 0; p < 3; ++p) EXPECT_EQ(world.log.committed(p)->first, world.log.end(p));
}

TEST(Runtime, PartitionsThatComeAndGoUnderLoadDoubleNothing) {
  World world;
  world.append(3000);
  MemorySource source(world.log);
  std::atomic<int> calls = 0;
  Handle handler([&](const Message& m, Transaction& tx) {
    const int call = ++calls;
    if (call % 100 == 50) {
      const std::int32_t partition = call / 100 % 3;
      call % 200 < 100 ? source.revoke(partition) : source.lose(partition);
      source.assign(partition);
    }
    return count_effect(m, tx);
  });
  Runtime runtime(fast_options());
  runtime.add(source, world.store, handler);
  EXPECT_EQ(runtime.run_until_caught_up(), 0);
  world.expect_each_once(3000);
  expect_balanced(runtime.counters());
}

TEST(Runtime, AFactoryMakesOneHandlerPerWorker) {
  World world;
  world.append(100);
  MemorySource source(world.log);
  std::atomic<int> made = 0;
  auto options = fast_options();
  options.workers = 3;
  Runtime runtime(options);
  runtime.add(source, world.store, [&]() -> std::unique_ptr<Handler> {
    ++made;
    return std::make_unique<Handle>(count_effect);
  });
  EXPECT_EQ(runtime.run_until_caught_up(), 0);
  EXPECT_EQ(made, 3);
  world.expect_each_once(100);
}

TEST(Runtime, TwoSourcesShareOneMemory) {
  MemoryLog first("first"), second("second");
  MemoryStore store;
  for (int i = 0; i < 200; ++i) {
    first.append(0, entry("m" + std::to_string(i)));
    second.append(0, entry("m" + std::to_string(i)));
  }
  MemorySource a(first), b(second);
  Handle handler(count_effect);
  Runtime runtime(fast_options());
  runtime.add(a, store, handler);
  runtime.add(b, store, handler);
  EXPECT_EQ(runtime.run_until_caught_up(), 0);
  const Counters c = runtime.counters();
  EXPECT_EQ(c.done, 200u);
  EXPECT_EQ(c.duplicates, 200u);
  for (const auto& [id, times] : store.table()) EXPECT_EQ(times, "1") << id;
}

}  // namespace
}  // namespace idem::test
