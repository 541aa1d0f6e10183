// What all handlers need is down: the source waits, nothing is parked, and it goes on by itself. And the rate limit.
#include <latch>
#include <set>

#include "runtime/pipeline.h"
#include "runtime/worker_pool.h"
#include "tests/runtime/fixture.h"
#include "tests/runtime/parts.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

struct Outage : testing::Test {
  Outage() {
    options.ordering = Ordering::unordered;
    options.retry.attempts = 4;
    options.circuit_breaker.first_pause = 1ms;
    options.circuit_breaker.max_pause = 4ms;
  }
  void send(int first, int end, MemoryLog& to) {
    for (int i = first; i < end; ++i) to.append(i % 3, entry("m" + std::to_string(i)));
  }
  void send(int first, int end) { send(first, end, log); }
  /// Fails while `down` is true.
  auto working() {
    return [this](const Message& m, Transaction& tx) { return down ? retry("503 from the ledger") : count_effect(m, tx); };
  }
  void expect_one_effect_each(std::size_t messages) {
    EXPECT_EQ(store.table().size(), messages);
    for (const auto& [id, count] : store.table()) EXPECT_EQ(count, "1") << id;
  }

  LogLines lines;
  MemoryLog log{"payments", 3};
  MemoryStore store;
  MemorySource source{log};
  std::atomic<bool> down{true};
  RuntimeOptions options = fast_options();
};

TEST_F(Outage, NothingIsParkedAndItGoesOnByItself) {
  Handle handler(working());
  Runtime runtime(options);
  runtime.add(source, store, handler);
  EXPECT_EQ(runtime.health().level, Health::Level::green);
  send(0, 20);  // before it starts: more than enough have failed before one has failed often
  Running running(runtime);
  wait_until([&] { return runtime.counters().parkings_withheld >= 5; });
  EXPECT_EQ(runtime.counters().breaker_opened, 1u);
  const Health health = runtime.health();
  EXPECT_EQ(health.level, Health::Level::yellow);
  ASSERT_EQ(health.reasons.size(), 1u);
  EXPECT_NE(health.reasons[0].find("memory payments: circuit breaker open: "), std::string::npos) << health.reasons[0];
  EXPECT_NE(health.reasons[0].find("3 probes in a row that succeed close it"), std::string::npos) << health.reasons[0];
  send(20, 40);
  wait_until([&] { return runtime.counters().received == 40; });  // it is polled all the time
  EXPECT_EQ(runtime.counters().parked, 0u);
  EXPECT_EQ(runtime.counters().done, 0u);

  down = false;
  wait_until([&] { return runtime.counters().done == 40; });
  EXPECT_EQ(runtime.counters().breaker_closed, 1u);
  EXPECT_EQ(runtime.health().level, Health::Level::green);
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(runtime.counters().parked, 0u);
  expect_one_effect_each(40);
  expect_balanced(runtime.counters());
  EXPECT_EQ(lines.said("memory payments: circuit breaker open: "), 1u);
  EXPECT_EQ(lines.said("failed, the last with \"503 from the ledger\"; messages wait and none is parked for it; 3 probes "
                       "in a row that succeed close it, the first goes out in 1 ms"), 1u);
  EXPECT_GE(lines.said("circuit breaker still open: a probe failed with \"503 from the ledger\"; the next goes "
                       "out in 4 ms"), 1u);
  EXPECT_EQ(lines.said("memory payments: circuit breaker closed: 3 probes in a row have succeeded"), 1u);
}

TEST_F(Outage, ARunUntilCaughtUpWaitsForItsEnd) {
  std::atomic<int> calls{0};
  Handle handler([&](const Message& m, Transaction& tx) { return ++calls < 60 ? retry("down") : count_effect(m, tx); });
  send(0, 20);
  Runtime runtime(options);
  runtime.add(source, store, handler);
  EXPECT_EQ(runtime.run_until_caught_up().reason, ExitReason::caught_up);
  EXPECT_GE(runtime.counters().breaker_opened, 1u);
  EXPECT_EQ(runtime.counters().parked, 0u);
  expect_one_effect_each(20);
}

TEST_F(Outage, AStopNeedNotWaitForItsEnd) {
  options.circuit_breaker.first_pause = options.circuit_breaker.max_pause = 24h;
  Handle handler(working());
  send(0, 20);
  {
    Runtime runtime(options);
    runtime.add(source, store, handler);
    Running running(runtime);
    wait_until([&] { return runtime.counters().breaker_opened == 1; });
    EXPECT_EQ(running.stop().reason, ExitReason::stopped);
    EXPECT_EQ(runtime.counters().parked, 0u);
    EXPECT_EQ(runtime.health().level, Health::Level::green) << "it has ended in order";
    expect_balanced(runtime.counters());
  }
  down = false;
  MemorySource again(log);
  Runtime runtime(options);
  runtime.add(again, store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  expect_one_effect_each(20);
}

TEST_F(Outage, OfOneSourceIsNotOneOfTheOther) {
  MemoryLog healthy("refunds", 3);
  MemorySource other(healthy);
  options.circuit_breaker.first_pause = options.circuit_breaker.max_pause = 24h;
  Handle failing([](const Message&, Transaction&) { return retry("down"); });
  Handle working(count_effect);
  Runtime runtime(options);
  runtime.add(source, store, failing);
  runtime.add(other, store, working);
  Running running(runtime);
  send(0, 20);
  wait_until([&] { return runtime.counters().breaker_opened == 1; });
  send(100, 120, healthy);
  wait_until([&] { return runtime.counters().done == 20; });
  EXPECT_EQ(runtime.counters().breaker_opened, 1u);
  EXPECT_TRUE(running.stop().ok());
}

TEST_F(Outage, AProbeThatIsLostWithItsPartitionIsReplaced) {
  options.workers = 4;
  std::latch entered{1}, release{1};
  std::atomic<bool> hold{false};
  Handle handler([&](const Message& m, Transaction& tx) {
    if (down) return retry("down");
    if (m.partition == 0 && hold.exchange(false)) {
      entered.count_down();
      release.wait();
    }
    return count_effect(m, tx);
  });
  for (int i = 0; i < 6; ++i) log.append(0, entry("a" + std::to_string(i)));
  Runtime runtime(options);
  runtime.add(source, store, handler);
  Running running(runtime);
  wait_until([&] { return runtime.counters().breaker_opened == 1; });
  hold = true;
  down = false;
  entered.wait();  // a probe
  source.lose(0);
  wait_until([&] { return lines.said("1 partitions lost") == 1; });
  release.count_down();
  for (int i = 0; i < 6; ++i) log.append(1, entry("b" + std::to_string(i)));
  wait_until([&] { return runtime.counters().breaker_closed >= 1; });
  source.assign(0);
  wait_until([&] { return store.table().size() == 12; });
  EXPECT_TRUE(running.stop().ok());
  expect_one_effect_each(12);
}

struct Calling final : ExternalHandler {
  std::function<Outcome(const Message&, const Attempt&)> answer;
  Outcome handle(const Message& message, const Attempt& attempt) override { return answer(message, attempt); }
};

// A message of it goes round twice: that its claim is durable does not mean that its call would succeed.
TEST_F(Outage, AnExternalHandlersMessagesAreProbedByTheirCalls) {
  std::mutex mutex;
  std::multiset<std::string> called;
  Calling handler;
  handler.answer = [&](const Message& message, const Attempt& attempt) {
    if (down) return retry("503");
    std::lock_guard lock(mutex);
    EXPECT_EQ(attempt.maybe_executed, attempt.number > 1);
    called.insert(std::string(message.id));
    return done();
  };
  Runtime runtime(options);
  runtime.add(source, store, handler);
  send(0, 40);
  Running running(runtime);
  wait_until([&] { return runtime.counters().parkings_withheld >= 5; });
  EXPECT_EQ(runtime.counters().breaker_closed, 0u);
  EXPECT_EQ(runtime.counters().parked, 0u);
  down = false;
  wait_until([&] { return runtime.counters().done == 40; });
  EXPECT_EQ(runtime.counters().breaker_closed, 1u);
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(called.size(), 40u);
}

// --- Poison is not an outage ----------------------------------------------------------------------------------------

TEST_F(Outage, AFewPoisonedMessagesInAnIdleTopicAreParked) {
  Handle handler(working());
  send(0, 3);
  Runtime runtime(options);
  runtime.add(source, store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(runtime.counters().parked, 3u);
  EXPECT_EQ(runtime.counters().breaker_opened, 0u);
}

struct Ration : Outage {
  Ration() {
    options.retry.attempts = 2;
    options.circuit_breaker.minimum_failures = 1'000;  // it never opens here
    options.circuit_breaker.parking_allowance = 1;
    options.circuit_breaker.successes_per_parking = 2;
  }
  static Outcome poison(const Message& m, Transaction& tx) {
    return m.text() == "poison" ? retry("no such account") : count_effect(m, tx);
  }
};

TEST_F(Ration, WhatIsBeyondItWaitsUntilOthersHaveSucceeded) {
  Handle handler(poison);
  Runtime runtime(options);
  runtime.add(source, store, handler);
  Running running(runtime);
  for (int i = 0; i < 2; ++i) log.append(0, entry("p" + std::to_string(i), "poison"));
  wait_until([&] { return runtime.counters().parkings_withheld >= 3; });
  EXPECT_EQ(runtime.counters().parked, 1u);
  wait_until([&] { return runtime.health().level == Health::Level::yellow; });
  EXPECT_EQ(runtime.health().reasons.at(0).find("memory payments: messages with their attempts used up that are not "
                                                "parked: 1; too few others succeed"), 0u) << runtime.health().reasons[0];
  EXPECT_EQ(lines.said("parking withheld topic=payments partition=0 offset="), 1u) << "said once";
  send(0, 2);
  wait_until([&] { return runtime.counters().parked == 2; });
  wait_until([&] { return runtime.health().level == Health::Level::green; });
  EXPECT_TRUE(running.stop().ok());
  expect_one_effect_each(2);
}

TEST_F(Ration, PoisonAloneIsParkedInTheEnd) {
  options.circuit_breaker.parking_interval = 1ms;
  Handle handler(poison);
  for (int i = 0; i < 5; ++i) log.append(0, entry("p" + std::to_string(i), "poison"));
  Runtime runtime(options);
  runtime.add(source, store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(runtime.counters().parked, 5u);
}

TEST_F(Ration, WithoutTheBreakerThereIsNone) {
  options.circuit_breaker.enabled = false;
  Handle handler(poison);
  for (int i = 0; i < 50; ++i) log.append(0, entry("p" + std::to_string(i), "poison"));
  Runtime runtime(options);
  runtime.add(source, store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(runtime.counters().parked, 50u);
  EXPECT_EQ(runtime.counters().parkings_withheld, 0u);
}

// --- With a clock that is ours --------------------------------------------------------------------------------------

/// The parts of a runtime, turned by hand.
struct Turned {
  Turned(Source& source, MemoryStore& store, Handler& handler, const RuntimeOptions& options)
      : ledger(store.ledger({"test"})),
        workers(source, *ledger, {runtime::Callee(handler)}, policy(options), nullptr),
        pipeline({source, *ledger, store.traits(), workers, clock, options, /*workers=*/1, /*seed=*/1,
                  [](std::optional<Timestamp>) {}}) {
    pipeline.start();
  }
  static runtime::WorkerPolicy policy(const RuntimeOptions& options) {
    runtime::WorkerPolicy policy;
    policy.consumer = "test";
    policy.attempts = options.retry.attempts;
    return policy;
  }
  void turn_until(const std::function<bool()>& condition) {
    while (!condition()) pipeline.turn(1ms);
  }

  ShortClock clock;
  std::shared_ptr<Ledger> ledger;
  runtime::WorkerPool workers;
  runtime::Pipeline pipeline;
};

struct OutageByHand : Outage {
  OutageByHand() { options.commit_interval = 1h; }
  /// A poll of a source in which nothing had come back from the workers before.
  void wait_once(Turned& run) {
    do run.pipeline.turn(500ms);
    while (waited == 0ms);
  }
  std::chrono::milliseconds waited{0};
  SpiedSource spied{log, [this](auto wait) { waited = wait; }};
};

TEST_F(OutageByHand, TheNextPollWaitsUntilTheFirstProbe) {
  options.retry.first_backoff = options.retry.max_backoff = 900ms;
  options.retry.jitter = 0;
  options.circuit_breaker.first_pause = options.circuit_breaker.max_pause = 70ms;
  Handle handler(working());
  send(0, 5);
  Turned run(spied, store, handler, options);
  run.turn_until([&] { return run.pipeline.counters().breaker_opened == 1; });
  EXPECT_EQ(run.pipeline.core().dispatched(), 0u);
  wait_once(run);
  EXPECT_EQ(waited, 70ms);
  EXPECT_EQ(run.pipeline.leave(ExitReason::stopped).reason, ExitReason::stopped);
  EXPECT_TRUE(run.workers.stop(60s));
}

TEST_F(OutageByHand, TheNextPollWaitsUntilTheRateLimitLetsTheNextOneGo) {
  down = false;
  options.rate_limit = {10, 2};
  Handle handler(working());
  send(0, 5);
  Turned run(spied, store, handler, options);
  for (std::uint64_t done : {2, 3, 4, 5}) {
    run.turn_until([&] { return run.pipeline.counters().done == done; });
    wait_once(run);
    EXPECT_EQ(waited, done < 5 ? 100ms : 500ms);
    EXPECT_EQ(run.pipeline.counters().done, done);
    run.clock.run(/*step=*/100ms, /*at_most=*/100ms);
  }
  EXPECT_EQ(run.pipeline.leave(ExitReason::stopped).reason, ExitReason::stopped);
  EXPECT_TRUE(run.workers.stop(60s));
}

}  // namespace
}  // namespace idem::test
