// Messages that nobody expects: every one has a clear outcome, its neighbours have theirs, and nothing is
// lost.
#include "in_memory.h"

namespace idem::test {
namespace {

using namespace std::string_literals;

constexpr std::size_t mebibyte = 1 << 20;

class BadMessage : public InMemory {
 protected:
  void expect_all_done(const Life& life) {
    EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
    EXPECT_TRUE(committed_to_the_end(0) && committed_to_the_end(1));
    EXPECT_EQ(balance(), balanced);
  }
  Effect effect_of(const std::string& id) {
    for (auto& effect : effects())
      if (effect.id == id) return effect;
    ADD_FAILURE() << "no effect of " << id.substr(0, 40);
    return {};
  }
};

TEST_F(BadMessage, NullEmptyAndHugePayloadsArriveAsTheyAre) {
  const std::string huge = std::string(10 * mebibyte, 'x') + "end";
  send("null", std::nullopt);
  send("empty", "");
  send("huge", huge);
  send("small", "s");
  expect_all_done(catch_up());
  EXPECT_EQ(effect_of("null").payload, std::nullopt);
  EXPECT_EQ(effect_of("empty").payload, "");
  EXPECT_TRUE(effect_of("huge").payload == huge);
  EXPECT_EQ(effect_of("small").payload, "s");
}

TEST_F(BadMessage, ANullPayloadIsNotAnEmptyOne) {
  send("a", std::nullopt);
  send_as({{"id", "a"}}, "");
  catch_up();
  ASSERT_EQ(parked().size(), 1u);
  EXPECT_EQ(parked()[0].reason, ParkReason::id_conflict);
}

TEST_F(BadMessage, OneLargerThanTheWholeBudgetIsHandledAlone) {
  RuntimeOptions options = quick();
  options.budget = {.messages = 10, .bytes = mebibyte};
  for (int i = 0; i < 5; ++i) {
    send("small" + std::to_string(i));
    send("large" + std::to_string(i), std::string(3 * mebibyte, 'x'), i % 2);
  }
  expect_all_done(catch_up(options));
}

TEST_F(BadMessage, WithoutAnIdItIsParked) {
  send("before");
  send_as({}, "no header");
  send_as({{"id", ""}}, "empty id");
  send_as({{"id", std::nullopt}}, "null id");
  send_as({{"ID", "x"}}, "other name");
  send("after");
  expect_all_done(catch_up());
  std::vector<std::string> payloads;
  for (const auto& message : parked()) {
    EXPECT_EQ(message.reason, ParkReason::no_id);
    EXPECT_EQ(message.id, "");
    EXPECT_EQ(message.attempts, 0);
    payloads.push_back(message.payload.value_or("null"));
  }
  EXPECT_EQ(payloads, (std::vector<std::string>{"no header", "empty id", "null id", "other name"}));
}

TEST_F(BadMessage, WithoutAKeyItHasNoIdByKey) {
  RuntimeOptions options = quick();
  options.identity = id_from_key();
  log.append(0, {std::nullopt, "null key", {}, {}});
  log.append(0, {"", "empty key", {}, {}});
  log.append(0, {"k", "a key", {}, {}});
  sent = {"k"};
  expect_all_done(catch_up(options));
  EXPECT_EQ(parked().size(), 2u);
}

TEST_F(BadMessage, AnIdentityThatThrowsFindsNoId) {
  RuntimeOptions options = quick();
  options.identity = id_from([](const Message& message) -> std::optional<std::string> {
    if (message.text() == "unreadable") throw std::runtime_error("cannot parse");
    return std::string(message.text());
  });
  send_as({}, "one");
  send_as({}, "unreadable");
  send_as({}, "two");
  sent = {"one", "two"};
  expect_all_done(catch_up(options));
  ASSERT_EQ(parked().size(), 1u);
  EXPECT_EQ(parked()[0].reason, ParkReason::no_id);
}

TEST_F(BadMessage, StrangeIdsAreBytesLikeAnyOther) {
  const std::string long_one(mebibyte, 'i');
  const std::vector<std::string> strange = {long_one + "1",
                                            long_one + "2",  // differ in the last byte only
                                            "a\0b"s,
                                            "a\0c"s,
                                            "a"s,
                                            "\0"s,
                                            "\0\0"s,  // NUL ends nothing
                                            "\xff\xfe",
                                            "\xc3\x28",
                                            "caf\xc3\xa9",
                                            "cafe\xcc\x81",  // not UTF-8, and two ways to write one word
                                            "'; DROP TABLE effects; --",
                                            "\" OR 1=1 --",
                                            "$1",
                                            "NULL",
                                            "?",  // what SQL could take for its own
                                            "1",
                                            "01",
                                            "1.0",
                                            "1e0",
                                            " 1",
                                            "A",
                                            "\n"};
  for (const auto& id : strange) send(id);
  expect_all_done(catch_up());
  EXPECT_EQ(effects().size(), strange.size());

  for (const auto& id : strange) send(id, "payload", 1);  // each of them is known again, after a restart
  const Life again = catch_up();
  expect_all_done(again);
  EXPECT_EQ(again.calls, 0);
  EXPECT_EQ(again.counters.duplicates, strange.size() + 1)
      << "and the last record, which is read again to be compared";
  EXPECT_EQ(parked().size(), 0u);
}

TEST_F(BadMessage, AHundredThousandHeaders) {
  Headers headers;
  for (int i = 0; i < 100'000; ++i) headers.push_back({"h" + std::to_string(i), std::to_string(i)});
  headers.push_back({"id", "many"});
  send_as(headers);
  sent = {"many"};
  send("after");
  std::size_t seen = 0;
  expect_all_done(catch_up([&](const Message& message, Transaction&) -> std::optional<Outcome> {
    if (message.id == "many") {
      seen = message.headers.size();
      EXPECT_EQ(message.header("h99999"), "99999");
    }
    return std::nullopt;
  }));
  EXPECT_EQ(seen, 100'001u);
}

TEST_F(BadMessage, AHundredThousandHeadersAreParkedWhole) {
  Headers headers = {{"id", "many"}};
  for (int i = 0; i < 100'000; ++i)
    headers.push_back({"h", i % 2 ? std::optional(std::to_string(i)) : std::nullopt});
  send_as(headers);
  catch_up([](const Message&, Transaction&) { return dead_letter("too many"); });
  ASSERT_EQ(parked().size(), 1u);
  EXPECT_TRUE(parked()[0].headers == headers);
}

TEST_F(BadMessage, OneIdWithTwoContentsIsAConflict) {
  send("a", "10 euro");
  send_as({{"id", "a"}}, "20 euro");
  send_as({{"id", "a"}}, "10 euro");  // an honest copy, behind it
  send("b");
  expect_all_done(catch_up());
  EXPECT_EQ(effect_of("a").payload, "10 euro");
  ASSERT_EQ(parked().size(), 1u);
  EXPECT_EQ(parked()[0].reason, ParkReason::id_conflict);
  EXPECT_EQ(parked()[0].payload, "20 euro");

  send_as({{"id", "a"}}, "30 euro");  // and in another run
  const Life again = catch_up();
  expect_all_done(again);
  EXPECT_EQ(again.counters.conflicts, 1u);
  ASSERT_EQ(parked().size(), 2u);
  EXPECT_EQ(parked()[1].payload, "30 euro");
}

TEST_F(BadMessage, AConflictMayBeDeclaredACopy) {
  RuntimeOptions options = quick();
  options.on_conflict = OnConflict::duplicate;
  send("a", "sent at 10:00");
  send_as({{"id", "a"}}, "sent at 10:01");
  const Life life = catch_up(options);
  expect_all_done(life);
  EXPECT_EQ(life.counters.duplicates, 1u);
  EXPECT_EQ(parked().size(), 0u);
}

TEST_F(BadMessage, OneIdTwiceInABatchAndOnTwoPartitions) {
  for (int round = 0; round < 50; ++round) {
    const std::string id = "twin" + std::to_string(round);
    send(id, "same", 0);
    send(id, "same", 0);
    send(id, "same", 1);
  }
  const Life life = catch_up();
  expect_all_done(life);
  EXPECT_EQ(life.calls, 50);
  EXPECT_EQ(life.counters.duplicates, 100u);
}

TEST_F(BadMessage, OneIdOnTwoPartitionsWaitsForTheFirstAttempts) {
  send("twin", "same", 0);
  send("twin", "same", 1);
  std::atomic<int> running{0};
  const Life life = catch_up([&](const Message& message, Transaction&) -> std::optional<Outcome> {
    EXPECT_EQ(++running, 1) << "two copies run at once";
    std::this_thread::sleep_for(20ms);
    --running;
    if (message.attempt < 3) return retry("not yet");
    return std::nullopt;
  });
  expect_all_done(life);
  EXPECT_EQ(life.calls, 3);
}

}  // namespace
}  // namespace idem::test
