// The parking lot: what could not be done is kept whole, with the reason, in the transaction that marks it.
#include "in_memory.h"

namespace idem::test {
namespace {

class Parked : public InMemory {};

Timestamp day(int number) { return Timestamp(std::chrono::days(20'000 + number)); }

std::optional<Outcome> refuse_what_is_bad(const Message& message, Transaction&) {
  if (message.text() == "bad") return dead_letter("the account is closed");
  if (message.text() == "worse") return retry("the account does not answer");
  return std::nullopt;
}

TEST_F(Parked, ADeadLetterIsKeptAsItCame) {
  const Headers headers = {
      {"id", "a"}, {"trace", "t-1"}, {"trace", "t-2"}, {"empty", ""}, {"null", std::nullopt}};
  send("before");
  log.append(0, {"the key", "bad", headers, day(3)});
  send("after");
  const Life life = catch_up(refuse_what_is_bad);
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(life.counters.parked, 1u);
  EXPECT_EQ(balance(), balanced);
  const auto lot = parked();
  ASSERT_EQ(lot.size(), 1u);
  EXPECT_EQ(lot[0].partition, (PartitionRef{"memory", 0}));
  EXPECT_EQ(lot[0].offset, 1);
  EXPECT_EQ(lot[0].key, "the key");
  EXPECT_EQ(lot[0].payload, "bad");
  EXPECT_EQ(lot[0].headers, headers);
  EXPECT_EQ(lot[0].timestamp, day(3));
  EXPECT_EQ(lot[0].id, "a");
  EXPECT_EQ(lot[0].reason, ParkReason::dead_letter);
  EXPECT_EQ(lot[0].why, "the account is closed");
  EXPECT_EQ(lot[0].attempts, 1);
  EXPECT_GT(lot[0].parked_at, Timestamp{});
}

TEST_F(Parked, NullsStayNulls) {
  log.append(0, {std::nullopt, std::nullopt, {{"other", "x"}}, std::nullopt});
  catch_up();
  const auto lot = parked();
  ASSERT_EQ(lot.size(), 1u);
  EXPECT_EQ(lot[0].key, std::nullopt);
  EXPECT_EQ(lot[0].payload, std::nullopt);
  EXPECT_EQ(lot[0].timestamp, std::nullopt);
  EXPECT_EQ(lot[0].reason, ParkReason::no_id);
}

TEST_F(Parked, ACopyOfAParkedMessageIsADuplicate) {
  for (int i = 0; i < 3; ++i) send_as({{"id", "a"}}, "bad", i % 2);
  const Life life = catch_up(refuse_what_is_bad);
  EXPECT_EQ(life.counters.parked, 1u);
  EXPECT_EQ(life.counters.duplicates, 2u);
  EXPECT_EQ(life.calls, 1);
  send_as({{"id", "a"}}, "bad");
  const Life again = catch_up(refuse_what_is_bad);
  EXPECT_EQ(again.calls, 0);
  EXPECT_EQ(parked().size(), 1u);
}

TEST_F(Parked, EveryReasonIsTold) {
  send("first", "content");
  send_as({{"id", "refused"}}, "bad");
  send_as({{"id", "failing"}}, "worse");
  send_as({{"id", "first"}}, "other content");
  send_as({}, "nameless");
  const Life life = catch_up(refuse_what_is_bad);
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  struct Told {
    std::string id;
    ParkReason reason;
    int attempts;
    bool operator==(const Told&) const = default;
  };
  std::vector<Told> told;
  for (const auto& message : parked()) {
    told.push_back({message.id, message.reason, message.attempts});
    EXPECT_NE(message.why, "") << message.id;
  }
  EXPECT_EQ(told, (std::vector<Told>{{"refused", ParkReason::dead_letter, 1},
                                     {"failing", ParkReason::attempts_exhausted, 5},
                                     {"first", ParkReason::id_conflict, 0},
                                     {"", ParkReason::no_id, 0}}));
}

TEST_F(Parked, TheLotIsReadInPages) {
  for (int i = 0; i < 25; ++i) send_as({{"id", std::to_string(i)}}, "bad");
  catch_up(refuse_what_is_bad);
  auto store = open_store(file);
  auto ledger = store->ledger({"test", RuntimeOptions{}.retention});
  std::vector<std::string> ids;
  std::int64_t after = 0;
  for (;;) {
    const auto page = ledger->parked(after, 10);
    for (const auto& message : page) {
      EXPECT_GT(message.number, after);
      after = message.number;
      ids.push_back(message.id);
    }
    if (page.size() < 10) break;
  }
  ASSERT_EQ(ids.size(), 25u);
  for (int i = 0; i < 25; ++i) EXPECT_EQ(ids[static_cast<std::size_t>(i)], std::to_string(i));
}

// What may be a copy of something forgotten is not guessed at.
class Forgotten : public Parked {
 protected:
  RuntimeOptions remembering_a_day() {
    RuntimeOptions options = quick();
    options.retention = std::chrono::days(1);
    return options;
  }
  void append(const std::string& id, int on_day) {
    log.append(0, {"key", "payload", {{"id", id}}, day(on_day)});
    log.append(1, {"key", "payload", {{"id", id + " beside"}}, day(on_day)});
  }
  // Ten days in the messages' own time, so that the first of them are forgotten.
  void let_ten_days_pass() {
    auto store = open_store(file);
    MemorySource source(log);
    Recorder handler;
    Runtime runtime(remembering_a_day());
    runtime.add(source, *store, handler);
    Background running(runtime);
    auto ledger = store->ledger({"test", remembering_a_day().retention});
    for (int today = 0; today < 10; ++today) {
      append("day " + std::to_string(today), today);
      ASSERT_TRUE(eventually([&] { return ledger->stream_time() >= day(today); })) << "day " << today;
    }
    EXPECT_TRUE(running.stop().ok());
    EXPECT_EQ(effects().size(), 20u);
    EXPECT_EQ(ledger->parked().size(), 0u);
  }
};

TEST_F(Forgotten, WhatIsOlderThanTheMemoryIsParkedAsUndecidable) {
  let_ten_days_pass();
  log.append(0, {"key", "old", {{"id", "who knows"}}, day(1)});
  log.append(0, {"key", "payload", {{"id", "day 0"}}, day(0)});  // a copy in fact, but nobody remembers
  log.append(0, {"key", "new", {{"id", "new"}}, day(9)});
  const Life life = catch_up(remembering_a_day());
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 1);
  EXPECT_EQ(life.counters.undecidable, 2u);
  auto store = open_store(file);
  const auto lot = store->ledger({"test", remembering_a_day().retention})->parked();
  ASSERT_EQ(lot.size(), 2u);
  for (const auto& message : lot) {
    EXPECT_EQ(message.reason, ParkReason::undecidable);
    EXPECT_EQ(message.attempts, 0);
    EXPECT_NE(message.why, "");
  }
  EXPECT_EQ(lot[0].payload, "old");
  EXPECT_EQ(lot[0].timestamp, day(1));
}

TEST_F(Forgotten, WhoNeverSendsTwiceMayHaveItRun) {
  let_ten_days_pass();
  log.append(0, {"key", "old", {{"id", "late"}}, day(1)});
  RuntimeOptions options = remembering_a_day();
  options.on_undecidable = OnUndecidable::run;
  const Life life = catch_up(options);
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 1);
  EXPECT_EQ(life.counters.parked, 0u);
}

}  // namespace
}  // namespace idem::test
