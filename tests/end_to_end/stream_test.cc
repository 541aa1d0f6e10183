// What one consumer makes of a stream on a real Kafka: order, copies, transactions, and the offset it leaves
// behind.
#include <algorithm>
#include <sstream>

#include "on_kafka.h"

namespace idem::test {
namespace {

class Stream : public OnKafka {};

// The offsets of the effects, in the order of the effects, by whatever `name` says.
template <class Name>
std::map<std::string, std::vector<std::int64_t>> offsets_by(const std::vector<Effect>& effects, Name name) {
  std::map<std::string, std::vector<std::int64_t>> offsets;
  for (const auto& effect : effects) offsets[name(effect)].push_back(effect.offset);
  return offsets;
}

// One message in twenty fails on its first attempt.
std::optional<Outcome> stumble(const Message& message, Transaction&) {
  if (message.offset % 20 == 7 && message.attempt == 1) return retry("stumbled");
  return std::nullopt;
}

TEST_F(Stream, KeepsTheOrderOfAPartition) {
  make_topic(4);
  send("m", 2'000);
  const Life life = catch_up(reading(), quick(), stumble);
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_GT(life.counters.retries, 0u);
  EXPECT_EQ(balance(), balanced);
  const auto offsets = offsets_by(effects(), [](const Effect& e) { return std::to_string(e.partition); });
  EXPECT_EQ(offsets.size(), 4u);
  for (const auto& [partition, order] : offsets)
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << "partition " << partition;
}

TEST_F(Stream, KeepsTheOrderOfAKeyWhileOtherKeysGoOn) {
  make_topic();
  send("m", 1'000);
  Gate others_done;
  std::atomic<int> others{0};
  RuntimeOptions options = quick();
  options.ordering = Ordering::by_key;
  // The first message of one key waits for a message of every other key: possible only if they overtake it.
  auto before = [&](const Message& message, Transaction& tx) -> std::optional<Outcome> {
    if (message.offset == 0)
      others_done.pass();
    else if (message.offset < 10 && ++others == 9)
      others_done.open();
    return stumble(message, tx);
  };
  const Life life = catch_up(reading(), options, before);
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  const auto all = effects();
  ASSERT_FALSE(all.empty());
  EXPECT_NE(all.front().offset, 0) << "the waiting message was overtaken";
  const auto offsets = offsets_by(all, [](const Effect& e) { return e.key.value_or(""); });
  EXPECT_EQ(offsets.size(), 10u);
  for (const auto& [key, order] : offsets) EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << key;
}

TEST_F(Stream, WhatTheProducerSentTwiceHasOneEffect) {
  make_topic(3);
  const auto records = messages("m", 300);
  send(records);
  send(records);
  const Life first = catch_up();
  EXPECT_TRUE(first.exit.ok()) << first.exit.detail;
  EXPECT_EQ(first.counters.duplicates, 300u);
  send(records);  // and again, after a restart
  const Life second = catch_up();
  EXPECT_EQ(second.counters.duplicates, 300u + 3u)
      << "and the last record of each partition, read to be compared";
  EXPECT_EQ(second.calls, 0);
  EXPECT_EQ(balance(), balanced);
}

TEST_F(Stream, AnEmptyTopicIsCaughtUpWith) {
  make_topic(3);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 0);
}

TEST_F(Stream, KafkasOwnToolSeesTheOffsetAtTheEndOfTheLog) {
  IDEM_NEEDS("kafka", kafka_missing());
  make_topic(3);
  send("m", 200);
  ASSERT_TRUE(catch_up().exit.ok());
  std::map<std::int32_t, std::int64_t> by_tool;
  for (const auto& [partition, offset] : broker().committed(group)) by_tool[partition.partition] = offset;
  EXPECT_EQ(by_tool, log_ends());
}

// What kafka-consumer-groups --describe prints in the column LAG, by partition.
std::map<int, std::string> lag_column(const std::string& described) {
  std::istringstream lines(described);
  std::map<int, std::string> lags;
  std::string line;
  std::vector<std::string> titles;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::vector<std::string> cells;
    for (std::string word; words >> word;) cells.push_back(word);
    if (cells.empty()) continue;
    if (cells.front() == "GROUP")
      titles = cells;
    else if (cells.size() >= titles.size() && !titles.empty()) {
      auto at = [&](const char* title) {
        return cells[static_cast<std::size_t>(std::find(titles.begin(), titles.end(), title) -
                                              titles.begin())];
      };
      lags[std::stoi(at("PARTITION"))] = at("LAG");
    }
  }
  return lags;
}

TEST_F(Stream, AbortedTransactionsHaveNoEffectAndLeaveNoLag) {
  IDEM_NEEDS("kafka", kafka_missing());
  make_topic(2);
  auto transaction = [&](const std::string& prefix, bool keep) {
    KafkaTransaction tx(broker().bootstrap());
    for (std::int32_t partition : {0, 1})
      tx.produce(topic, messages(prefix + std::to_string(partition), 20, partition));
    keep ? tx.commit() : tx.abort();
    if (keep)
      for (std::int32_t partition : {0, 1})
        for (auto& id : ids_of(messages(prefix + std::to_string(partition), 20))) sent.push_back(id);
  };
  transaction("kept-", true);
  transaction("aborted-", false);
  const KafkaOptions committed_only = reading({{"isolation.level", "read_committed"}});
  ASSERT_TRUE(catch_up(committed_only).exit.ok());
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends()) << "the position is carried past aborted messages and markers";
  EXPECT_EQ(lag_column(broker().tools().consumer_groups({"--describe", "--group", group})),
            (std::map<int, std::string>{{0, "0"}, {1, "0"}}));

  // From behind the markers it goes on, and a log that ends with aborted messages only is caught up with as
  // well.
  transaction("more-", true);
  transaction("aborted-too-", false);
  const Life second = catch_up(committed_only);
  EXPECT_TRUE(second.exit.ok()) << second.exit.detail;
  EXPECT_EQ(second.calls, 40);
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
}

TEST_F(Stream, TwoTopicsInOneRuntimeHaveOneMemory) {
  make_topic(2);
  const std::string other = unique_name("other"), other_group = unique_name("other-group");
  broker().create_topic(other, 2);
  send("m", 100);
  auto more = messages("n", 100);
  const auto copies = messages("m", 10);  // of what the first topic has: the same consumer knows their ids
  more.insert(more.end(), copies.begin(), copies.end());
  client().produce(other, more);
  for (auto& id : ids_of(more)) sent.push_back(id);

  auto store = open_store(file);
  KafkaOptions from_other = reading({{"group.id", other_group}});
  from_other.topics = {other};
  KafkaSource first(reading()), second(from_other);
  Recorder handler, other_handler;
  Runtime runtime(quick());
  runtime.add(first, *store, handler);
  runtime.add(second, *store, other_handler);
  const Exit exit = runtime.run_until_caught_up();
  EXPECT_EQ(exit.reason, ExitReason::caught_up) << exit.detail;
  EXPECT_EQ(runtime.counters().duplicates, 10u);
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
}

TEST_F(Stream, OneSourceReadsSeveralTopics) {
  make_topic(2);
  const std::string other = unique_name("other");
  broker().create_topic(other, 3);
  send("m", 100);
  const auto more = messages("n", 100);
  client().produce(other, more);
  for (auto& id : ids_of(more)) sent.push_back(id);
  for (auto options : {reading(), reading_fixed()}) {
    options.topics = {topic, other};
    const Life life = catch_up(options);
    EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  }
  EXPECT_EQ(balance(), balanced);
}

TEST_F(Stream, FixedPartitionsReadWhatTheyNameAndCommitToTheGroup) {
  make_topic(3);
  send("zero-", 50, 0);
  send("two-", 50, 2);
  client().produce(topic, messages("one-", 50, 1));  // read by nobody
  const Life life = catch_up(reading_fixed({0, 2}));
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), (std::map<std::int32_t, std::int64_t>{{0, 50}, {2, 50}}));
}

}  // namespace
}  // namespace idem::test
