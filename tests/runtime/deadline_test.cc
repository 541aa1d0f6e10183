// Handlers that take too long: they are named, counted and told to stop, and nothing else happens to them.
#include <condition_variable>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <vector>

#include "runtime/pipeline.h"
#include "runtime/worker_pool.h"
#include "tests/runtime/fixture.h"
#include "tests/runtime/parts.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

class Caller final : public ExternalHandler {
 public:
  std::function<Outcome(const Message&, const Attempt&)> answer = [](auto&, auto&) { return done(); };
  std::function<Resolution(const Attempt&)> resolution = [](auto&) { return Resolution::unknown; };

  Outcome handle(const Message& message, const Attempt& attempt) override {
    ++calls;
    return answer(message, attempt);
  }
  Resolution resolve(const Message&, const Attempt& attempt) override { return resolution(attempt); }

  std::atomic<int> calls{0};
};

/// Returns when it is told to.
void wait_for(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
}

/// A call that waits to be told to stop, and says then that it was.
struct Waiting {
  std::latch entered{1}, returned{1};

  auto answer() {
    return [this](const Message&, const Attempt& attempt) {
      entered.count_down();
      wait_for(attempt.stop);
      returned.count_down();
      return retry("told to stop");
    };
  }
};

struct Deadline : testing::Test {
  std::size_t said(const std::string& what) const { return lines.said(what); }
  void send(std::int32_t partition, const std::string& id) { log.append(partition, entry(id, "payload", "key-of-" + id)); }

  LogLines lines;
  MemoryLog log{"receipts", 3};
  MemoryStore store;
  MemorySource source{log};
  Caller caller;
  RuntimeOptions options = fast_options();
};

TEST_F(Deadline, PastItACallIsNamedOnceAndToldToStopAndTheOthersGoOn) {
  options.handler_deadline = 20ms;
  options.workers = 4;
  std::atomic<int> told{0};
  std::latch release{1};
  caller.answer = [&](const Message& message, const Attempt& attempt) {
    if (message.id.substr(0, 5) != "stuck") return done();
    EXPECT_TRUE(attempt.deadline);
    wait_for(attempt.stop);
    ++told;
    release.wait();
    return done();
  };
  Runtime runtime(options);
  runtime.add(source, store, caller);
  EXPECT_EQ(runtime.health().level, Health::Level::green);
  Running running(runtime);
  send(0, "stuck");
  send(1, "stuck too");
  wait_until([&] { return told == 2; });
  EXPECT_EQ(runtime.counters().overdue, 2u);
  const Health health = runtime.health();
  EXPECT_EQ(health.level, Health::Level::yellow);
  ASSERT_EQ(health.reasons.size(), 1u);
  EXPECT_NE(health.reasons[0].find("overdue handlers: 2,"), std::string::npos) << health.reasons[0];
  EXPECT_NE(health.reasons[0].find("topic=receipts partition="), std::string::npos) << health.reasons[0];

  for (int i = 0; i < 20; ++i) send(2, "m" + std::to_string(i));
  wait_until([&] { return runtime.counters().done == 20; });
  send(2, "stuck three");
  wait_until([&] { return told == 3; });  // the first two have been looked at once more
  EXPECT_EQ(said("overdue topic=receipts partition=0 offset=0 id=\"stuck\" running="), 1u);
  EXPECT_EQ(said("overdue topic=receipts partition=1 offset=0 id=\"stuck too\" running="), 1u);
  EXPECT_EQ(said("overdue topic=receipts partition=2 offset=20 id=\"stuck three\" running="), 1u);

  release.count_down();
  wait_until([&] { return runtime.counters().done == 23; });
  EXPECT_EQ(runtime.counters().overdue, 0u);
  EXPECT_EQ(runtime.health().level, Health::Level::green);
  EXPECT_TRUE(runtime.health().reasons.empty());
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(caller.calls, 23) << "nothing was called a second time";
  EXPECT_EQ(runtime.counters().duplicates, 0u);
  expect_balanced(runtime.counters());
}

TEST_F(Deadline, AHandlerOfTheStoreIsOnlyNamedAndWithoutItsKey) {
  options.handler_deadline = 20ms;
  options.identity = id_from_key();
  std::latch release{1};
  Handle handler([&](const Message& message, Transaction& tx) {
    if (message.partition == 0) release.wait();
    return count_effect(message, tx);
  });
  Runtime runtime(options);
  runtime.add(source, store, handler);
  Running running(runtime);
  send(0, "stuck");
  wait_until([&] { return said("overdue topic=receipts partition=0 offset=0 running=") == 1; });
  EXPECT_EQ(runtime.counters().overdue, 1u);
  EXPECT_EQ(runtime.health().level, Health::Level::yellow);
  for (int i = 0; i < 20; ++i) send(1, "m" + std::to_string(i));
  wait_until([&] { return runtime.counters().done == 20; });
  release.count_down();
  wait_until([&] { return runtime.counters().done == 21; });
  EXPECT_EQ(runtime.counters().overdue, 0u);
  EXPECT_EQ(runtime.health().level, Health::Level::green);
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(store.table().at("key-of-stuck"), "1");
  EXPECT_EQ(said("key-of-"), 0u) << "a key is not for the log";
}

TEST_F(Deadline, WhoReturnsInTimeHearsNothingOfIt) {
  options.handler_deadline = 24h;
  std::vector<std::stop_token> tokens;
  options.workers = 1;
  caller.answer = [&](const Message&, const Attempt& attempt) {
    EXPECT_TRUE(attempt.deadline && *attempt.deadline > std::chrono::steady_clock::now());
    EXPECT_TRUE(attempt.stop.stop_possible());
    tokens.push_back(attempt.stop);
    return done();
  };
  for (int i = 0; i < 50; ++i) send(i % 3, "m" + std::to_string(i));
  Runtime runtime(options);
  runtime.add(source, store, caller);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(tokens.size(), 50u);
  for (const auto& token : tokens) EXPECT_FALSE(token.stop_requested());
  EXPECT_EQ(runtime.counters().overdue, 0u);
  EXPECT_EQ(runtime.health().level, Health::Level::green);
  EXPECT_EQ(said("overdue"), 0u);
}

TEST_F(Deadline, WithoutOneNothingIsEverOverdue) {
  ASSERT_EQ(options.handler_deadline, 0ms) << "the default";
  Runtime runtime(options);
  caller.answer = [&](const Message&, const Attempt& attempt) {
    EXPECT_FALSE(attempt.deadline);
    EXPECT_FALSE(attempt.stop.stop_requested());
    EXPECT_EQ(runtime.counters().overdue, 0u);
    return done();
  };
  send(0, "m");
  runtime.add(source, store, caller);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(said("overdue"), 0u);
}

TEST_F(Deadline, WhatIsSaidTooLateCountsAndEachCallHasATokenOfItsOwn) {
  options.handler_deadline = 10ms;
  std::stop_token first, asked, second;
  caller.answer = [&](const Message&, const Attempt& attempt) {
    if (attempt.number == 1) {
      wait_for(first = attempt.stop);
      return retry("told to stop");
    }
    EXPECT_TRUE(attempt.maybe_executed);
    second = attempt.stop;
    return done();
  };
  caller.resolution = [&](const Attempt& attempt) {
    wait_for(asked = attempt.stop);
    return Resolution::unknown;
  };
  send(0, "m");
  Runtime runtime(options);
  runtime.add(source, store, caller);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(caller.calls, 2);
  EXPECT_EQ(runtime.counters().done, 1u);
  EXPECT_EQ(runtime.counters().retries, 1u);
  EXPECT_FALSE(first == asked);
  EXPECT_FALSE(asked == second);
}

// Nobody but the I/O thread looks, and it waits for the handlers of the partition then.
TEST_F(Deadline, IsKeptWhileARevokedPartitionIsWaitedFor) {
  options.handler_deadline = 300ms;
  std::latch entered{1};
  caller.answer = [&](const Message&, const Attempt& attempt) {
    entered.count_down();
    wait_for(attempt.stop);
    return done();
  };
  send(0, "m");
  Runtime runtime(options);
  runtime.add(source, store, caller);
  Running running(runtime);
  entered.wait();
  source.revoke(0);
  wait_until([&] { return log.committed(0) && log.committed(0)->first == 1; });
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(runtime.counters().stale_completions, 0u);
  EXPECT_EQ(runtime.counters().done, 1u);
}

// --- At the end of a run --------------------------------------------------------------------------------------------

TEST_F(Deadline, WhoStillRunsWhenARunEndsIsToldToStop) {
  options.drain_timeout = 50ms;
  Waiting call;
  caller.answer = call.answer();
  send(0, "m");
  {
    Runtime runtime(options);
    runtime.add(source, store, caller);
    Running running(runtime);
    call.entered.wait();
    (void)running.stop();  // in order if the handler was quick enough
  }
  call.returned.wait();
  bool maybe_executed = false;
  Caller again;
  again.answer = [&](const Message&, const Attempt& attempt) {
    maybe_executed = attempt.maybe_executed;
    return done();
  };
  MemorySource second(log);
  Runtime runtime(options);
  runtime.add(second, store, again);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(again.calls, 1);
  EXPECT_TRUE(maybe_executed);
}

TEST_F(Deadline, ARunThatEndedBadlyIsRedAndWhoIsLeftBehindIsStillCounted) {
  options.handler_deadline = 10ms;
  options.drain_timeout = 20ms;
  std::latch entered{1}, release{1};
  Handle handler([&](const Message&, Transaction&) {
    entered.count_down();
    release.wait();
    return retry("too late");
  });
  send(0, "m");
  Runtime runtime(options);
  runtime.add(source, store, handler);
  Running running(runtime);
  entered.wait();
  EXPECT_EQ(running.stop().reason, ExitReason::drain_timeout);
  EXPECT_EQ(runtime.health().level, Health::Level::red);
  ASSERT_EQ(runtime.health().reasons.size(), 2u);
  EXPECT_NE(runtime.health().reasons[0].find("still with their handlers"), std::string::npos);
  EXPECT_NE(runtime.health().reasons[1].find("overdue handlers: 1,"), std::string::npos);
  release.count_down();
  wait_until([&] { return runtime.counters().overdue == 0; });
  EXPECT_EQ(runtime.health().reasons.size(), 1u);
}

TEST_F(Deadline, WhoIsLeftBehindByASourceThatFailedIsToldToStop) {
  options.drain_timeout = 20ms;
  Waiting call;
  caller.answer = call.answer();
  SpiedSource failing(log, [&](auto) {
    if (call.entered.try_wait()) throw std::runtime_error("the cable was cut");
  });
  send(0, "m");
  Runtime runtime(options);
  runtime.add(failing, store, caller);
  EXPECT_EQ(runtime.run().reason, ExitReason::source_failed);
  call.returned.wait();
  EXPECT_EQ(runtime.health().level, Health::Level::red);
}

// --- With a clock that is ours --------------------------------------------------------------------------------------

/// The parts of a runtime for an ExternalHandler, turned by hand.
struct ByHand {
  ByHand(Source& source, MemoryStore& store, Caller& caller, const RuntimeOptions& options,
         std::chrono::milliseconds deadline)
      : ledger(store.ledger({"test"})),
        watch(std::make_shared<runtime::HandlerWatch>(deadline, true)),
        workers(source, *ledger, {runtime::Callee(caller)}, policy(), nullptr),
        pipeline({source, *ledger, store.traits(), workers, clock, options, /*workers=*/1, /*seed=*/1,
                  [](std::optional<Timestamp>) {}, /*external=*/true, watch.get()}) {
    pipeline.start();
  }
  runtime::WorkerPolicy policy() const {
    runtime::WorkerPolicy policy;
    policy.consumer = "test";
    policy.watch = watch;
    return policy;
  }

  ShortClock clock;
  std::shared_ptr<Ledger> ledger;
  std::shared_ptr<runtime::HandlerWatch> watch;
  runtime::WorkerPool workers;
  runtime::Pipeline pipeline;
};

TEST_F(Deadline, TheNextPollWaitsNoLongerThanUntilACallCanBeOverdue) {
  options.commit_interval = 1h;
  std::latch release{1};
  caller.answer = [&](auto&, auto&) {
    release.wait();
    return done();
  };
  std::chrono::milliseconds waited{0};
  SpiedSource spied(log, [&](auto wait) { waited = wait; });
  send(0, "m");
  ByHand run(spied, store, caller, options, /*deadline=*/20ms);
  while (caller.calls == 0) run.pipeline.turn(1ms);
  run.pipeline.turn(1ms);    // takes in what came back before the call
  run.pipeline.turn(500ms);  // nothing does now, and the clock stands still
  EXPECT_EQ(waited, 20ms);

  const core::Ticks before{}, long_after{24h * 365 * 100};
  EXPECT_EQ(run.watch->overdue(before).calls, 0u);
  run.watch->look(before);
  EXPECT_EQ(said("overdue"), 0u);
  EXPECT_EQ(run.watch->overdue(long_after).calls, 1u);
  run.watch->look(long_after);
  EXPECT_EQ(said("overdue"), 1u);
  release.count_down();
  EXPECT_EQ(run.pipeline.leave(ExitReason::stopped).reason, ExitReason::stopped);
  EXPECT_TRUE(run.workers.stop(60s));
}

TEST_F(Deadline, AHandlerIsToldWhileThereIsTimeToAnswerAndNoneIsCalledAfter) {
  options.drain_timeout = 200ms;
  caller.answer = [](const Message&, const Attempt& attempt) {
    wait_for(attempt.stop);
    return done();
  };
  send(0, "one");
  send(1, "other");
  ByHand run(source, store, caller, options, /*deadline=*/0ms);
  while (caller.calls == 0 || run.pipeline.core().dispatched() < 2) run.pipeline.turn(1ms);
  run.clock.run(/*step=*/45ms, /*at_most=*/45ms + 190ms);  // a tenth of the drain is left, and does not pass
  const Exit exit = run.pipeline.leave(ExitReason::stopped);
  EXPECT_EQ(exit.reason, ExitReason::stopped) << exit.detail;
  EXPECT_EQ(caller.calls, 1) << "the other one waited for its turn, and would have been told at once";
  EXPECT_EQ(run.pipeline.counters().done, 1u);
  EXPECT_EQ(log.committed(0)->first + log.committed(1)->first, 1);
  EXPECT_TRUE(run.workers.stop(60s));
}

}  // namespace
}  // namespace idem::test
