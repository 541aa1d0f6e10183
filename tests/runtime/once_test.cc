// Requests handled once: what a repeated one gets, and what two at the same time do to each other.
#include <idem/once.h>

#include "tests/runtime/fixture.h"

#include <future>
#include <stdexcept>
#include <vector>

#include "core/idempotency_key.h"
#include "core/siphash.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using Kind = Once::Kind;

void nothing(Transaction&) {}

// --- In the store's transaction -------------------------------------------------------------------------------------

TEST(Once, RunsOncePerId) {
  MemoryStore store;
  auto add = [&](std::string_view id) {
    return once(store, "webhook", id, [&](Transaction& tx) { MemoryStore::put(tx, id, "1"); }).kind;
  };
  EXPECT_EQ(add("a"), Kind::applied);
  EXPECT_EQ(add("a"), Kind::duplicate);
  EXPECT_EQ(add("b"), Kind::applied);
  EXPECT_EQ(store.table().size(), 2u);
}

TEST(Once, IdsAreScopedByConsumer) {
  MemoryStore store;
  EXPECT_EQ(once(store, "one", "a", nothing).kind, Kind::applied);
  EXPECT_EQ(once(store, "two", "a", nothing).kind, Kind::applied);
}

TEST(Once, ARepeatGetsTheResultThatWasKept) {
  MemoryStore store;
  int calls = 0;
  auto ask = [&](std::string_view id, std::optional<std::string> result) {
    return once(store, "c", id, [&](Transaction&) {
      ++calls;
      return result ? done(*result) : done();
    });
  };
  const std::string bytes("booked \0 as 17", 14);
  EXPECT_EQ(ask("a", bytes).result, bytes) << "the first one too";
  const Once again = ask("a", "another");
  EXPECT_EQ(again.kind, Kind::duplicate);
  EXPECT_EQ(again.result, bytes);

  EXPECT_EQ(ask("empty", "").kind, Kind::applied);
  EXPECT_EQ(ask("empty", {}).result, "");
  EXPECT_EQ(ask("none", {}).result, std::nullopt);
  EXPECT_EQ(ask("none", "late").result, std::nullopt);
  EXPECT_EQ(calls, 3);
}

TEST(Once, OtherContentUnderOneIdIsAConflictAndIsNotToldTheResult) {
  MemoryStore store;
  auto ask = [&](std::string_view content) {
    return once(store, "c", "a", [](Transaction&) { return done("for 10 EUR"); }, {.content = content});
  };
  EXPECT_EQ(ask("10 EUR").kind, Kind::applied);
  EXPECT_EQ(ask("10 EUR").result, "for 10 EUR");
  EXPECT_EQ(ask("99 EUR").kind, Kind::conflict);
  EXPECT_EQ(ask("99 EUR").result, std::nullopt);
  EXPECT_EQ(ask("").kind, Kind::duplicate) << "content is compared only if both have it";
}

TEST(Once, AnExceptionPassesThroughAndLeavesNothing) {
  MemoryStore store;
  auto fail = [](Transaction& tx) {
    MemoryStore::put(tx, "a", "1");
    throw std::runtime_error("no");
  };
  EXPECT_THROW((void)once(store, "c", "a", fail), std::runtime_error);
  EXPECT_TRUE(store.table().empty());
  EXPECT_EQ(once(store, "c", "a", nothing).kind, Kind::applied);
}

TEST(Once, RetryLeavesNothingAndTheNextOneRuns) {
  MemoryStore store;
  const Once answer = once(store, "c", "a", [](Transaction& tx) {
    MemoryStore::put(tx, "a", "1");
    return retry("no such account yet");
  });
  EXPECT_EQ(answer.kind, Kind::not_applied);
  EXPECT_EQ(answer.why, "no such account yet");
  EXPECT_TRUE(store.table().empty());
  EXPECT_EQ(once(store, "c", "a", nothing).kind, Kind::applied);
}

TEST(Once, ADeadLetterIsParkedAndSaysSoToWhoeverRepeatsIt) {
  MemoryStore store;
  auto ask = [&] {
    return once(store, "c", "a", [](Transaction& tx) {
      MemoryStore::put(tx, "a", "1");
      return dead_letter("not a payment");
    }, {.content = "nonsense"});
  };
  const Once first = ask();
  EXPECT_EQ(first.kind, Kind::parked);
  EXPECT_EQ(first.why, "not a payment");
  EXPECT_EQ(ask().kind, Kind::parked);
  EXPECT_TRUE(store.table().empty());
  const auto parked = store.ledger({"c"})->parked();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].id, "a");
  EXPECT_EQ(parked[0].payload, "nonsense");
  EXPECT_EQ(parked[0].why, "not a payment");
}

TEST(Once, AResultAboveTheCapIsAnErrorAndLeavesNothing) {
  MemoryStore store;
  auto ask = [&](std::size_t bytes) {
    return once(store, "c", "a", [&](Transaction& tx) {
      MemoryStore::put(tx, "a", "1");
      return done(std::string(bytes, 'x'));
    }, {.max_result_bytes = 10});
  };
  EXPECT_THROW((void)ask(11), std::length_error);
  EXPECT_TRUE(store.table().empty());
  EXPECT_EQ(ask(10).kind, Kind::applied);
  EXPECT_EQ(ask(10).result, std::string(10, 'x'));
}

TEST(Once, WhatCannotBeIsRefused) {
  MemoryStore store;
  EXPECT_THROW((void)once(store, "c", "", nothing), std::invalid_argument);
  EXPECT_THROW((void)once(store, "", "a", nothing), std::invalid_argument);
  EXPECT_THROW((void)once(store, "c", "a", nothing, {.wait = -1ms}), std::invalid_argument);
  EXPECT_EQ(once(store, "c", "for ever", nothing, {.wait = std::chrono::milliseconds::max()}).kind, Kind::applied);
  const auto ledger = store.ledger({"c", 24h});
  EXPECT_THROW((void)once(store, "c", "a", nothing), std::invalid_argument) << "another retention";
  EXPECT_EQ(once(store, "c", "a", nothing, {.retention = 24h}).kind, Kind::applied);
}

// --- Outside --------------------------------------------------------------------------------------------------------

struct OnceOutside : testing::Test {
  struct Call {
    std::string key;
    int number;
    bool maybe_executed;
  };
  MemoryStore store;
  std::vector<Call> calls;
  std::function<Outcome()> answer = [] { return done("201"); };

  Once ask(std::string_view id = "a", const OnceOptions& options = {}) {
    return once(store, "c", id, [&](const Attempt& attempt) {
      calls.push_back({std::string(attempt.key), attempt.number, attempt.maybe_executed});
      return answer();
    }, options);
  }
};

TEST_F(OnceOutside, IsCalledOnceWithTheKeyOfItsIdAndARepeatGetsTheResult) {
  const Once first = ask();
  EXPECT_EQ(first.kind, Kind::applied);
  EXPECT_EQ(first.result, "201");
  const Once again = ask();
  EXPECT_EQ(again.kind, Kind::duplicate);
  EXPECT_EQ(again.result, "201");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].key, core::idempotency_key("c", "a")) << "the one a runtime's ExternalHandler has";
  EXPECT_EQ(calls[0].number, 1);
  EXPECT_FALSE(calls[0].maybe_executed);
}

TEST_F(OnceOutside, AfterAnAnswerThatWasLostTheNextCallSaysSoUnderTheSameKey) {
  answer = []() -> Outcome { throw std::runtime_error("connection lost"); };
  EXPECT_THROW((void)ask(), std::runtime_error);
  answer = [] { return retry("503"); };
  const Once doubt = ask();
  EXPECT_EQ(doubt.kind, Kind::in_doubt);
  EXPECT_EQ(doubt.why, "503");
  answer = [] { return done(); };
  EXPECT_EQ(ask().kind, Kind::applied);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_FALSE(calls[0].maybe_executed);
  EXPECT_TRUE(calls[1].maybe_executed);
  EXPECT_TRUE(calls[2].maybe_executed);
  for (const Call& call : calls) EXPECT_EQ(call.key, calls[0].key);
  EXPECT_EQ(ask().kind, Kind::duplicate);
  EXPECT_EQ(calls.size(), 3u);
}

TEST_F(OnceOutside, OtherContentIsAConflictAlsoWhileTheEndIsNotKnown) {
  answer = [] { return retry("503"); };
  EXPECT_EQ(ask("a", {.content = "10 EUR"}).kind, Kind::in_doubt);
  EXPECT_EQ(ask("a", {.content = "99 EUR"}).kind, Kind::conflict);
  answer = [] { return done(); };
  EXPECT_EQ(ask("a", {.content = "10 EUR"}).kind, Kind::applied);
  EXPECT_EQ(ask("a", {.content = "99 EUR"}).kind, Kind::conflict);
  EXPECT_EQ(calls.size(), 2u);
}

TEST_F(OnceOutside, AResultAboveTheCapIsNotKeptAndTheCallIsNotForgotten) {
  const OnceOptions options{.max_result_bytes = 2};
  const Once first = ask("a", options);
  EXPECT_EQ(first.kind, Kind::applied);
  EXPECT_EQ(first.result, "201") << "whoever asked first gets it";
  EXPECT_NE(first.why.find("max_result_bytes"), std::string::npos);
  const Once again = ask("a", options);
  EXPECT_EQ(again.kind, Kind::duplicate);
  EXPECT_EQ(again.result, std::nullopt);
  EXPECT_EQ(calls.size(), 1u);
}

TEST_F(OnceOutside, ADeadLetterEndsInTheParkingLotAndIsNotCalledAgain) {
  answer = [] { return dead_letter("400"); };
  EXPECT_EQ(ask().kind, Kind::parked);
  EXPECT_EQ(ask().kind, Kind::parked);
  EXPECT_EQ(calls.size(), 1u);
  EXPECT_EQ(store.ledger({"c"})->parked().size(), 1u);
}

/// A store of somebody else's, made before there were claims or results: everything else is a MemoryStore's.
class OldStore final : public TransactionalStore {
 public:
  StoreTraits traits() const override { return {.id = "old", .name = "an old store"}; }
  std::shared_ptr<Ledger> ledger(const LedgerOptions& options) override {
    if (!ledger_) ledger_ = std::make_shared<OldLedger>(memory_.ledger(options));
    return ledger_;
  }

 private:
  class OldLedger final : public Ledger {
   public:
    explicit OldLedger(std::shared_ptr<Ledger> inner) : inner_(std::move(inner)) {}
    const HashKey& hash_key() const override { return inner_->hash_key(); }
    Opened open(const PartitionRef& partition) override { return inner_->open(partition); }
    void reset(std::uint32_t slot, const Progress& progress, std::string_view origin) override {
      inner_->reset(slot, progress, origin);
    }
    void skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
              SettleListener& listener) override {
      inner_->skip(slot, from, to, token, listener);
    }
    std::unique_ptr<Session> session(SettleListener& listener) override { return inner_->session(listener); }
    void advance(Timestamp time) override { inner_->advance(time); }
    Timestamp stream_time() const override { return inner_->stream_time(); }
    std::vector<ParkedMessage> parked(std::int64_t after, std::size_t limit) override {
      return inner_->parked(after, limit);
    }

   private:
    const std::shared_ptr<Ledger> inner_;
  };

  MemoryStore memory_;
  std::shared_ptr<Ledger> ledger_;
};

TEST(OnceOnAnOldStore, WorksWithoutResultsAndRefusesWhatNeedsClaims) {
  OldStore store;
  auto book = [](Transaction&) { return done("booked"); };
  EXPECT_EQ(once(store, "c", "a", book).result, "booked") << "whoever asked first gets it";
  const Once again = once(store, "c", "a", book);
  EXPECT_EQ(again.kind, Kind::duplicate);
  EXPECT_EQ(again.result, std::nullopt);
  EXPECT_THROW((void)once(store, "c", "b", [](const Attempt&) { return done(); }), std::invalid_argument);
}

// --- Two at the same time ---------------------------------------------------------------------------------------------

TEST(OnceAtTheSameTime, OfManyThreadsWithOneIdExactlyOneAppliesAndAllGetItsResult) {
  MemoryStore store;
  for (int round = 0; round < 50; ++round) {
    const std::string id = "id" + std::to_string(round);
    std::atomic<int> applied = 0, ran = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        const Once answer = once(store, "c", id, [&](Transaction& tx) {
          ++ran;
          MemoryStore::put(tx, id, MemoryStore::get(tx, id).value_or(std::to_string(i)));
          return done(std::to_string(i));
        });
        if (answer.kind == Kind::applied) ++applied;
        EXPECT_EQ(answer.result, store.table().at(id));
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(applied, 1);
    EXPECT_EQ(ran, 1) << "the others wait";
  }
}

/// Somebody who is in the middle of it until told to go on.
struct Held {
  std::promise<void> entered, go_on;
  std::shared_future<void> going_on = go_on.get_future().share();

  Outcome enter(std::string result) {
    entered.set_value();
    going_on.wait();
    return done(std::move(result));
  }
};

TEST(OnceAtTheSameTime, ASecondOneIsBusyAfterItsWaitAndGetsTheResultLater) {
  MemoryStore store;
  Held held;
  std::thread first([&] {
    EXPECT_EQ(once(store, "c", "a", [&](const Attempt&) { return held.enter("first"); }).kind, Kind::applied);
  });
  held.entered.get_future().wait();
  const auto ask = [&](std::chrono::milliseconds wait) {
    return once(store, "c", "a", [](const Attempt&) { return done("second"); }, {.wait = wait});
  };
  EXPECT_EQ(ask(0ms).kind, Kind::busy);
  EXPECT_EQ(ask(1ms).kind, Kind::busy);
  EXPECT_EQ(once(store, "c", "a", nothing, {.wait = 0ms}).kind, Kind::busy) << "whatever kind it is";
  EXPECT_EQ(once(store, "c", "b", nothing, {.wait = 0ms}).kind, Kind::applied) << "another id is nobody's";
  EXPECT_EQ(once(store, "d", "a", nothing, {.wait = 0ms}).kind, Kind::applied) << "another consumer's too";

  auto waiting = std::async(std::launch::async, ask, std::chrono::milliseconds::max());
  held.go_on.set_value();
  const Once second = waiting.get();
  EXPECT_EQ(second.kind, Kind::duplicate);
  EXPECT_EQ(second.result, "first");
  first.join();
}

// --- With a runtime of the same consumer ------------------------------------------------------------------------------

class Callback final : public ExternalHandler {
 public:
  explicit Callback(std::function<Outcome()> function) : function_(std::move(function)) {}
  Outcome handle(const Message&, const Attempt& attempt) override {
    if (attempt.maybe_executed) ++repeated;
    ++calls;
    return function_();
  }
  std::atomic<int> calls{0}, repeated{0};

 private:
  const std::function<Outcome()> function_;
};

struct OnceBesideARuntime : testing::Test {
  MemoryStore store;
  MemoryLog log{"payments", 1};
  MemorySource source{log};
  RuntimeOptions options = fast_options();

  template <class H>
  Counters run(H& handler) {
    Runtime runtime(options);
    runtime.add(source, store, handler);
    const Exit exit = runtime.run_until_caught_up();
    EXPECT_TRUE(exit.ok()) << exit.detail;
    expect_balanced(runtime.counters());
    return runtime.counters();
  }
  Once ask(std::string_view id) {
    return once(store, "test", id, [](Transaction&) { return done("by once"); }, {.content = "payload"});
  }
};

TEST_F(OnceBesideARuntime, GetsTheResultsOfItsHandlers) {
  log.append(0, entry("a"));
  log.append(0, entry("none"));
  Handle handler([](const Message& m, Transaction&) { return m.id == "a" ? done("by a handler") : done(); });
  EXPECT_EQ(run(handler).done, 2u);
  EXPECT_EQ(ask("a").result, "by a handler");
  EXPECT_EQ(ask("none").kind, Kind::duplicate);
  EXPECT_EQ(ask("none").result, std::nullopt);
}

TEST_F(OnceBesideARuntime, GetsTheResultsOfItsExternalHandlers) {
  log.append(0, entry("a"));
  Callback handler([] { return done("by a call"); });
  EXPECT_EQ(run(handler).done, 1u);
  EXPECT_EQ(ask("a").result, "by a call");
}

TEST_F(OnceBesideARuntime, IsToldThatItsMessageWasParked) {
  log.append(0, entry("a"));
  Handle handler([](const Message&, Transaction&) { return dead_letter("malformed"); });
  EXPECT_EQ(run(handler).parked, 1u);
  EXPECT_EQ(ask("a").kind, Kind::parked);
}

TEST_F(OnceBesideARuntime, AHandlersResultAboveTheCapIsRolledBackAndParked) {
  options.max_result_bytes = 10;
  for (const char* id : {"before", "large", "after"}) log.append(0, entry(id));
  Handle handler([](const Message& m, Transaction& tx) {
    (void)count_effect(m, tx);
    return done(std::string(m.id == "large" ? 11 : 10, 'x'));
  });
  const Counters counters = run(handler);
  EXPECT_EQ(counters.done, 2u);
  EXPECT_EQ(counters.parked, 1u);
  EXPECT_FALSE(store.table().contains("large"));
  EXPECT_EQ(store.table().at("after"), "1");
  const auto parked = store.ledger({"test"})->parked();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].id, "large");
  EXPECT_EQ(parked[0].reason, ParkReason::dead_letter);
  EXPECT_NE(parked[0].why.find("result of 11 bytes"), std::string::npos) << parked[0].why;
}

TEST_F(OnceBesideARuntime, ACallWhoseResultIsAboveTheCapIsDoneAllTheSame) {
  options.max_result_bytes = 10;
  log.append(0, entry("large"));
  Callback handler([] { return done(std::string(11, 'x')); });
  EXPECT_EQ(run(handler).done, 1u);
  log.append(0, entry("large"));
  EXPECT_EQ(run(handler).done, 0u);
  EXPECT_EQ(handler.calls, 1);
  EXPECT_EQ(ask("large").kind, Kind::duplicate);
  EXPECT_EQ(ask("large").result, std::nullopt);
}

TEST_F(OnceBesideARuntime, IsBusyWhileItsExternalHandlerHasTheId) {
  log.append(0, entry("a"));
  Held held;
  Callback handler([&] { return held.enter("by a call"); });
  std::thread running([&] { EXPECT_EQ(run(handler).done, 1u); });
  held.entered.get_future().wait();
  const auto ask = [&](std::chrono::milliseconds wait) {
    return once(store, "test", "a", [](const Attempt&) { return done("by once"); }, {.wait = wait});
  };
  EXPECT_EQ(ask(0ms).kind, Kind::busy);
  held.go_on.set_value();
  running.join();
  const Once later = ask(1h);
  EXPECT_EQ(later.kind, Kind::duplicate);
  EXPECT_EQ(later.result, "by a call");
}

TEST_F(OnceBesideARuntime, KeepsItsExternalHandlerFromTheSameId) {
  log.append(0, entry("a"));
  log.append(0, entry("b"));
  Held held;
  std::thread asking([&] {
    EXPECT_EQ(once(store, "test", "a", [&](const Attempt&) { return held.enter("by once"); }, {.content = "payload"}).kind,
              Kind::applied);
  });
  held.entered.get_future().wait();
  Callback handler([] { return done(); });
  options.ordering = Ordering::unordered;
  Runtime runtime(options);
  runtime.add(source, store, handler);
  std::thread running([&] { EXPECT_TRUE(runtime.run_until_caught_up().ok()); });
  wait_until([&] { return runtime.counters().done >= 1; });  // "b": "a" came before it
  held.go_on.set_value();
  asking.join();
  running.join();
  EXPECT_EQ(handler.calls, 1) << "of b";
  EXPECT_EQ(handler.repeated, 0);
  EXPECT_EQ(runtime.counters().duplicates, 1u);
}

}  // namespace
}  // namespace idem::test
