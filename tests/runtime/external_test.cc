// Handlers whose effect is elsewhere: claim, call, complete.
#include <idem/external_handler.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "core/idempotency_key.h"
#include "core/siphash.h"
#include "tests/runtime/fixture.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

/// What somebody outside was asked to do.
struct Call {
  std::string id, key;
  int number = 0;
  bool maybe_executed = false;
};

class Caller final : public ExternalHandler {
 public:
  std::function<Outcome(const Call&)> answer = [](const Call&) { return done(); };
  std::function<Resolution(const Call&)> resolution = [](const Call&) { return Resolution::unknown; };

  Outcome handle(const Message& message, const Attempt& attempt) override {
    const Call call = note(calls_, message, attempt);
    return answer(call);
  }
  Resolution resolve(const Message& message, const Attempt& attempt) override {
    return resolution(note(questions_, message, attempt));
  }

  std::vector<Call> calls() { return copy(calls_); }
  std::vector<Call> calls(const std::string& id) {
    auto all = copy(calls_);
    std::erase_if(all, [&](const Call& c) { return c.id != id; });
    return all;
  }
  std::vector<Call> questions() { return copy(questions_); }

 private:
  Call note(std::vector<Call>& where, const Message& message, const Attempt& attempt) {
    std::lock_guard lock(mutex_);
    where.push_back({std::string(message.id), std::string(attempt.key), attempt.number, attempt.maybe_executed});
    return where.back();
  }
  std::vector<Call> copy(const std::vector<Call>& from) {
    std::lock_guard lock(mutex_);
    return from;
  }

  std::mutex mutex_;
  std::vector<Call> calls_, questions_;
};

struct External : testing::Test {
  MemoryLog log{"receipts", 2};
  MemoryStore store;
  Caller caller;
  RuntimeOptions options = fast_options();

  void send(const std::string& id, const std::string& payload = "payload", std::int32_t partition = 0) {
    log.append(partition, entry(id, payload));
  }
  Counters run() {
    MemorySource source(log);
    Runtime runtime(options);
    runtime.add(source, store, caller);
    const Exit exit = runtime.run_until_caught_up();
    EXPECT_EQ(exit.reason, ExitReason::caught_up) << exit.detail;
    expect_balanced(runtime.counters());
    return runtime.counters();
  }
  std::vector<ParkedMessage> parked() { return store.ledger({"test"})->parked(); }

  /// A process that died between its claim and the end of its call.
  void claim_by_a_dead_process(const std::string& id, const std::string& payload = "payload") {
    struct Deaf final : SettleListener {
      void on_settled(std::span<const Settlement>) noexcept override {}
    } deaf;
    const auto ledger = store.ledger({"test"});
    Message message;
    message.topic = "receipts";
    message.id = id;
    Record record;
    record.message = &message;
    record.id = core::siphash128(ledger->hash_key(), id);
    record.fingerprint = core::siphash64(ledger->hash_key(), payload) | 1;
    ASSERT_EQ(ledger->session(deaf)->claim(record), Joined::joined);
  }
};

TEST_F(External, each_message_is_called_once_and_is_known_then) {
  for (int i = 0; i < 200; ++i) send("m" + std::to_string(i), "payload", i % 2);
  EXPECT_EQ(run().done, 200u);
  EXPECT_EQ(caller.calls().size(), 200u);
  for (const Call& call : caller.calls()) {
    EXPECT_EQ(call.number, 1);
    EXPECT_FALSE(call.maybe_executed) << call.id;
  }
  for (int i = 0; i < 200; ++i) send("m" + std::to_string(i), "payload", i % 2);
  EXPECT_EQ(run().done, 0u);
  EXPECT_EQ(caller.calls().size(), 200u);
}

TEST_F(External, in_a_lane_nothing_is_called_before_what_was_sent_before) {
  options.workers = 4;
  for (int i = 0; i < 300; ++i) send(std::to_string(i));
  for (int i = 3; i < 300; i += 7) claim_by_a_dead_process(std::to_string(i));
  caller.answer = [](const Call& c) {
    return c.number < 2 && std::stoi(c.id) % 11 == 0 ? retry("not yet") : done();
  };
  std::vector<int> order;
  run();
  for (const Call& call : caller.calls())
    if (call.number == 2 || std::stoi(call.id) % 11 != 0) order.push_back(std::stoi(call.id));
  EXPECT_EQ(order.size(), 300u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(External, a_repeated_call_has_the_same_key_and_says_that_it_is_one) {
  send("m");
  caller.answer = [](const Call& call) {
    if (call.number == 1) throw std::runtime_error("timeout");
    return call.number < 3 ? retry("503") : done();
  };
  EXPECT_EQ(run().retries, 2u);
  const auto calls = caller.calls();
  ASSERT_EQ(calls.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].number, i + 1);
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].maybe_executed, i > 0);
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].key, calls[0].key);
  }
}

TEST_F(External, the_key_never_changes) {
  EXPECT_EQ(core::idempotency_key("test", "m"), "9084713e574111f2d0bb7869c1d24cab");
  EXPECT_NE(core::idempotency_key("a", "bc"), core::idempotency_key("ab", "c"));
  send("m");
  run();
  ASSERT_EQ(caller.calls().size(), 1u);
  EXPECT_EQ(caller.calls()[0].key, core::idempotency_key("test", "m"));
}

TEST_F(External, a_claim_of_a_process_that_died_is_said) {
  claim_by_a_dead_process("m");
  send("m");
  send("n");
  EXPECT_EQ(run().done, 2u);
  ASSERT_EQ(caller.calls("m").size(), 1u);
  EXPECT_TRUE(caller.calls("m")[0].maybe_executed);
  EXPECT_FALSE(caller.calls("n")[0].maybe_executed);
  EXPECT_EQ(caller.questions().size(), 1u);
  send("m");
  EXPECT_EQ(run().done, 0u);
}

TEST_F(External, resolve_answers_instead_of_a_call) {
  for (const char* id : {"executed", "not_executed", "unknown"}) {
    claim_by_a_dead_process(id);
    send(id);
  }
  caller.resolution = [](const Call& call) {
    EXPECT_TRUE(call.maybe_executed);
    return call.id == "executed"       ? Resolution::executed
           : call.id == "not_executed" ? Resolution::not_executed
                                       : Resolution::unknown;
  };
  EXPECT_EQ(run().done, 3u);
  EXPECT_TRUE(caller.calls("executed").empty());
  ASSERT_EQ(caller.calls("not_executed").size(), 1u);
  EXPECT_FALSE(caller.calls("not_executed")[0].maybe_executed);
  ASSERT_EQ(caller.calls("unknown").size(), 1u);
  EXPECT_TRUE(caller.calls("unknown")[0].maybe_executed);
}

TEST_F(External, a_resolve_that_throws_makes_no_call) {
  claim_by_a_dead_process("m");
  send("m");
  int asked = 0;
  caller.resolution = [&](const Call&) -> Resolution {
    if (++asked == 1) throw std::runtime_error("not reachable");
    return Resolution::executed;
  };
  const Counters counters = run();
  EXPECT_EQ(counters.retries, 1u);
  EXPECT_EQ(counters.done, 1u);
  EXPECT_TRUE(caller.calls().empty());
}

TEST_F(External, what_nobody_can_resolve_is_parked_if_so_asked) {
  options.on_unresolved = OnUnresolved::park;
  claim_by_a_dead_process("m");
  send("m");
  send("n");
  const Counters counters = run();
  EXPECT_EQ(counters.parked, 1u);
  EXPECT_EQ(counters.done, 1u);
  EXPECT_TRUE(caller.calls("m").empty());
  ASSERT_EQ(parked().size(), 1u);
  EXPECT_EQ(parked()[0].reason, ParkReason::unresolved);
  send("m");
  EXPECT_EQ(run().done, 0u);
}

TEST_F(External, claims_in_memory_say_what_this_process_did_and_no_more) {
  options.claims = Claims::in_memory;
  send("m");
  caller.answer = [](const Call& call) { return call.number < 2 ? retry("503") : done(); };
  run();
  const auto calls = caller.calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_FALSE(calls[0].maybe_executed);
  EXPECT_TRUE(calls[1].maybe_executed);
}

TEST_F(External, dead_letters_and_exhausted_attempts_end_the_claim) {
  options.retry.attempts = 2;
  send("dead");
  send("tired");
  caller.answer = [](const Call& call) { return call.id == "dead" ? dead_letter("no") : retry("503"); };
  EXPECT_EQ(run().parked, 2u);
  ASSERT_EQ(parked().size(), 2u);
  EXPECT_EQ(caller.calls("dead").size(), 1u);
  EXPECT_EQ(caller.calls("tired").size(), 2u);
  send("dead");
  send("tired");
  EXPECT_EQ(run().parked, 0u);
}

TEST_F(External, another_message_under_a_claimed_id_is_a_conflict_and_the_claim_stays) {
  claim_by_a_dead_process("m", "ten euros");
  send("m", "twenty euros");
  send("m", "ten euros");
  const Counters counters = run();
  EXPECT_EQ(counters.conflicts, 1u);
  EXPECT_EQ(counters.done, 1u) << "the message that was claimed is still called";
  ASSERT_EQ(caller.calls().size(), 1u);
  EXPECT_TRUE(caller.calls()[0].maybe_executed);
}

TEST_F(External, a_copy_with_other_content_is_called_if_nothing_of_its_id_is_done) {
  options.on_conflict = OnConflict::duplicate;
  claim_by_a_dead_process("m", "sent at nine");
  send("m", "sent at ten");
  EXPECT_EQ(run().done, 1u) << "skipping it would lose the message";
  send("m", "sent at eleven");
  EXPECT_EQ(run().done, 0u);
}

TEST_F(External, messages_known_by_position_have_a_key_of_their_own) {
  options.identity = id_from_position();
  send("a");
  send("b");
  send("c", "payload", 1);
  EXPECT_EQ(run().done, 3u);
  std::vector<std::string> keys;
  for (const Call& call : caller.calls()) keys.push_back(call.key);
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
  EXPECT_NE(std::find(keys.begin(), keys.end(), core::idempotency_key("test", "receipts/1/0")), keys.end());
}

TEST_F(External, one_handler_for_each_worker_if_so_asked) {
  struct Counting final : ExternalHandler {
    Outcome handle(const Message&, const Attempt&) override { return done(); }
  };
  for (int i = 0; i < 10; ++i) send(std::to_string(i));
  std::atomic<int> made{0};
  MemorySource source(log);
  options.workers = 3;
  Runtime runtime(options);
  runtime.add(source, store, ExternalHandlerFactory([&] { ++made; return std::make_unique<Counting>(); }));
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(made, 3);
  EXPECT_EQ(runtime.counters().done, 10u);
}

TEST_F(External, an_id_that_comes_from_two_sources_is_called_by_one_of_them) {
  for (const Claims claims : {Claims::durable, Claims::in_memory}) {
    options.claims = claims;
    options.consumer = claims == Claims::durable ? "durable" : "in memory";
    MemoryLog one("one", 2), other("other", 2);
    constexpr std::size_t ids = 1'000;
    for (std::size_t i = 0; i < ids; ++i) {
      const std::string id = options.consumer + std::to_string(i);
      one.append(i % 2, entry(id));
      other.append(i % 2, entry(id));
    }
    const std::size_t before = caller.calls().size();
    MemorySource first(one), second(other);
    Runtime runtime(options);
    runtime.add(first, store, caller);
    runtime.add(second, store, caller);
    EXPECT_TRUE(runtime.run_until_caught_up().ok());
    EXPECT_EQ(caller.calls().size(), before + ids);
    EXPECT_EQ(runtime.counters().duplicates, ids);
  }
  for (const Call& call : caller.calls()) EXPECT_FALSE(call.maybe_executed) << call.id;
}

TEST_F(External, two_sources_with_the_same_ids_in_opposite_order_both_come_to_an_end) {
  MemoryLog up("up", 1), down("down", 1);
  for (int i = 0; i < 500; ++i) {
    up.append(0, entry(std::to_string(i)));
    down.append(0, entry(std::to_string(499 - i)));
  }
  caller.answer = [](const Call& call) { return call.number < 2 && std::stoi(call.id) % 50 == 0 ? retry("503") : done(); };
  MemorySource first(up), second(down);
  Runtime runtime(options);
  runtime.add(first, store, caller);
  runtime.add(second, store, caller);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(runtime.counters().done, 500u);
  EXPECT_EQ(runtime.counters().duplicates, 500u);
}

}  // namespace
}  // namespace idem::test
