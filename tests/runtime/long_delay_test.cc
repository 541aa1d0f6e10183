// Long delays in a runtime: kept in the store, out of the budget, back when due.
#include <idem/external_handler.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/runtime/fixture.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

/// What was called: the ids in order, each with the number of the attempt.
class Calls {
 public:
  void note(const Message& message) {
    std::lock_guard lock(mutex_);
    calls_.emplace_back(message.id, message.attempt);
  }
  std::vector<std::pair<std::string, int>> all() {
    std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::string, int>> calls_;
};

using All = std::vector<std::pair<std::string, int>>;

/// A store that is asked for nothing beyond what every store has.
class PlainStore final : public TransactionalStore {
 public:
  explicit PlainStore(MemoryStore& store) : store_(store) {}
  StoreTraits traits() const override {
    StoreTraits traits = store_.traits();
    traits.delays = false;
    return traits;
  }
  std::shared_ptr<Ledger> ledger(const LedgerOptions& options) override { return store_.ledger(options); }

 private:
  MemoryStore& store_;
};

class LongDelay : public testing::Test {
 protected:
  LongDelay() {
    options.ordering = Ordering::unordered;
    options.retry.long_delay = 0ms;
  }

  void append(const std::string& id, std::optional<std::string> key = {}) { log.append(0, entry(id, "payload", key)); }

  Counters run_until_caught_up(Handle::Function function) {
    return run(std::move(function), [](Runtime& runtime) { return runtime.run_until_caught_up(); });
  }
  /// Until `enough` says so.
  Counters run_until(std::function<bool()> enough, Handle::Function function) {
    return run(std::move(function), [&](Runtime& runtime) {
      std::thread stopper([&] {
        wait_until(enough);
        runtime.stop();
      });
      const Exit exit = runtime.run();
      stopper.join();
      return exit;
    });
  }
  Counters run(Handle::Function function, const std::function<Exit(Runtime&)>& run) {
    MemorySource source(log);
    Handle handler([this, &function](const Message& message, Transaction& tx) {
      calls.note(message);
      return function(message, tx);
    });
    Runtime runtime(options);
    if (plain) runtime.add(source, *plain, handler);
    else runtime.add(source, store, handler);
    const Exit exit = run(runtime);
    EXPECT_TRUE(exit.ok()) << exit.detail;
    expect_balanced(runtime.counters());
    return runtime.counters();
  }

  bool has_effect(const std::string& id) { return store.table().contains(id); }
  void expect_one_effect(const std::string& id) {
    const auto table = store.table();
    ASSERT_TRUE(table.contains(id)) << id;
    EXPECT_EQ(table.at(id), "1") << id;
  }

  MemoryLog log{"payments"};
  MemoryStore store;
  std::optional<PlainStore> plain;
  Calls calls;
  RuntimeOptions options = fast_options();
};

Outcome later(std::chrono::milliseconds delay) { return retry_after(delay, "not yet"); }

TEST_F(LongDelay, TheBrokerIsToldAndNothingIsHeldMeanwhile) {
  append("late");
  append("other");
  const Counters c = run_until_caught_up([](const Message& message, Transaction& tx) {
    return message.id == "late" ? later(1h) : count_effect(message, tx);
  });
  EXPECT_EQ(c.delayed, 1u);
  EXPECT_EQ(c.done, 1u);
  EXPECT_EQ(c.in_flight, 0u);
  EXPECT_EQ(log.committed(0)->first, 2);
  append("late");
  EXPECT_EQ(run_until_caught_up(count_effect).done, 0u) << "a copy, meanwhile";
  EXPECT_FALSE(has_effect("late"));
}

TEST_F(LongDelay, ItComesBackWhenItIsDueAndIsHandledOnce) {
  for (int i = 0; i < 200; ++i) append("m" + std::to_string(i));
  const auto all_there = [&] { return store.table().size() == 200; };
  const Counters c = run_until(all_there, [](const Message& message, Transaction& tx) {
    return message.attempt == 1 ? later(5ms) : count_effect(message, tx);
  });
  EXPECT_EQ(c.delayed, 200u);
  EXPECT_EQ(c.returned, 200u);
  for (int i = 0; i < 200; ++i) expect_one_effect("m" + std::to_string(i));
  EXPECT_EQ(run_until_caught_up(count_effect).returned, 0u);
}

TEST_F(LongDelay, AttemptsAreCountedOnAndEndInTheParkingLot) {
  options.retry.attempts = 3;
  append("never");
  run_until([&] { return !store.ledger({"test"})->parked().empty(); },
            [](const Message&, Transaction&) { return later(1ms); });
  EXPECT_EQ(calls.all(), (All{{"never", 1}, {"never", 2}, {"never", 3}}));
  const auto parked = store.ledger({"test"})->parked();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(parked[0].attempts, 3);
  EXPECT_EQ(parked[0].id, "never");
}

TEST_F(LongDelay, AShortOneStaysInMemory) {
  options.retry.long_delay = 10ms;
  append("soon");
  const Counters c = run_until_caught_up([](const Message& message, Transaction& tx) {
    return message.attempt == 1 ? later(10ms) : count_effect(message, tx);
  });
  EXPECT_EQ(c.delayed, 0u);
  EXPECT_EQ(c.retries, 1u);
  expect_one_effect("soon");
}

TEST_F(LongDelay, AStoreThatKeepsNoneWaitsInMemory) {
  plain.emplace(store);
  append("late");
  const Counters c = run_until_caught_up([](const Message& message, Transaction& tx) {
    return message.attempt == 1 ? later(5ms) : count_effect(message, tx);
  });
  EXPECT_EQ(c.delayed, 0u);
  EXPECT_EQ(c.retries, 1u);
  expect_one_effect("late");
}

// --- In an ordered lane -------------------------------------------------------------------------------------------

class LaneWithALongDelay : public LongDelay, public testing::WithParamInterface<Ordering> {
 protected:
  LaneWithALongDelay() {
    options.ordering = GetParam();
    append("first", "key");
    append("second", "key");
  }
};

TEST_P(LaneWithALongDelay, TheLaterOnesWait) {
  const Counters c = run_until_caught_up([](const Message& message, Transaction& tx) {
    return message.id == "first" && message.attempt == 1 ? later(5ms) : count_effect(message, tx);
  });
  EXPECT_EQ(c.delayed, 0u);
  EXPECT_EQ(calls.all(), (All{{"first", 1}, {"first", 2}, {"second", 1}}));
}

TEST_P(LaneWithALongDelay, OrPassAsTheOptionSays) {
  options.retry.on_long_delay = OnLongDelay::pass;
  const Counters c = run_until_caught_up([](const Message& message, Transaction& tx) {
    return message.id == "first" ? later(1h) : count_effect(message, tx);
  });
  EXPECT_EQ(c.delayed, 1u);
  EXPECT_EQ(calls.all(), (All{{"first", 1}, {"second", 1}}));
  EXPECT_EQ(log.committed(0)->first, 2);
}

INSTANTIATE_TEST_SUITE_P(Ordered, LaneWithALongDelay, testing::Values(Ordering::by_partition, Ordering::by_key));

TEST_F(LongDelay, WithoutAKeyThereIsNoLaneByKeyThatWaits) {
  options.ordering = Ordering::by_key;
  append("late");
  EXPECT_EQ(run_until_caught_up([](const Message&, Transaction&) { return later(1h); }).delayed, 1u);
}

// --- With a handler whose effect is elsewhere ---------------------------------------------------------------------

class LateCaller final : public ExternalHandler {
 public:
  struct Call {
    std::string key;
    int number;
    bool maybe_executed;
  };
  Outcome handle(const Message&, const Attempt& attempt) override {
    std::lock_guard lock(mutex_);
    calls_.push_back({std::string(attempt.key), attempt.number, attempt.maybe_executed});
    return calls_.size() < 3 ? later(1ms) : done();
  }
  std::vector<Call> calls() {
    std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::vector<Call> calls_;
};

TEST_F(LongDelay, ACallAfterOneSaysThatItMayBeTheSecond) {
  for (const Claims claims : {Claims::durable, Claims::in_memory}) {
    options.claims = claims;
    append(claims == Claims::durable ? "claimed" : "unclaimed");
    MemorySource source(log);
    LateCaller caller;
    Runtime runtime(options);
    runtime.add(source, store, caller);
    std::thread stopper([&] {
      wait_until([&] { return caller.calls().size() == 3 && runtime.counters().done == 1; });
      runtime.stop();
    });
    EXPECT_TRUE(runtime.run().ok());
    stopper.join();
    const auto calls = caller.calls();
    ASSERT_EQ(calls.size(), 3u);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(calls[static_cast<std::size_t>(i)].number, i + 1);
      EXPECT_EQ(calls[static_cast<std::size_t>(i)].maybe_executed, i > 0);
      EXPECT_EQ(calls[static_cast<std::size_t>(i)].key, calls[0].key);
    }
    EXPECT_EQ(runtime.counters().delayed, 2u);
  }
}

}  // namespace
}  // namespace idem::test
