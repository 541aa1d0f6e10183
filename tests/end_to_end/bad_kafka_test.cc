// A Kafka that is not what was expected, and options that are wrong: each ends the run with words that help,
// or does no harm. Message shapes once more, on their way through a real broker.
#include "on_kafka.h"

#include <algorithm>

namespace idem::test {
namespace {

using namespace std::string_literals;

bool says(const Exit& exit, const std::string& words) { return exit.detail.find(words) != std::string::npos; }

class BadKafka : public OnKafka {
 protected:
  void expect_refused(const KafkaOptions& options, const std::vector<std::string>& words) {
    const Life life = catch_up(options);
    EXPECT_EQ(life.exit.reason, ExitReason::source_failed);
    for (const auto& word : words)
      EXPECT_TRUE(says(life.exit, word)) << word << " is not in: " << life.exit.detail;
    EXPECT_EQ(life.calls, 0);
  }
};

// --- Options
// ----------------------------------------------------------------------------------------------------------

TEST_F(BadKafka, PropertiesThatAreWrongAreRefusedByName) {
  make_topic();
  send("m", 10);
  expect_refused(reading({{"no.such.property", "1"}}), {"no.such.property"});
  expect_refused(reading({{"session.timeout.ms", "soon"}}), {"session.timeout.ms"});
  expect_refused(reading({{"enable.auto.commit", "true"}}), {"enable.auto.commit", "durable"});
  expect_refused(reading({{"enable.auto.offset.store", "true"}}), {"enable.auto.offset.store", "durable"});
  expect_refused(reading({{"group.id", ""}}), {"group.id"});
  expect_refused(reading({{"bootstrap.servers", ""}}), {"bootstrap.servers"});
  EXPECT_TRUE(catch_up().exit.ok()) << "and nothing is lost by it";
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadKafka, AnUnreachableBrokerIsNamed) {
  expect_refused(reading({{"bootstrap.servers", "127.0.0.1:1"}}), {"127.0.0.1:1"});
}

TEST_F(BadKafka, AnUnknownTopicIsNamed) { expect_refused(reading(), {topic}); }

TEST_F(BadKafka, APartitionThatTheTopicDoesNotHaveIsNamed) {
  make_topic(2);
  expect_refused(reading_fixed({0, 7}), {"7", topic});
}

// --- A broker that changes under a running consumer
// ---------------------------------------------------------------------

TEST_F(BadKafka, ATopicDeletedWhileRunningEndsTheRunWithItsName) {
  make_topic(2);
  send("m", 50);
  auto store = open_store(file);
  KafkaSource source(reading());
  Recorder handler;
  Runtime runtime(quick());
  runtime.add(source, *store, handler);
  Background running(runtime);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }));
  broker().delete_topic(topic);
  const Exit exit = running.exit();
  EXPECT_EQ(exit.reason, ExitReason::source_failed);
  EXPECT_TRUE(says(exit, topic)) << exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadKafka, FixedPartitionsBesideMembersOfTheSameGroupAreRefusedByItsName) {
  make_topic(2);
  auto store = open_store(file);
  KafkaSource member(reading());
  Recorder handler;
  Runtime members(quick());
  members.add(member, *store, handler);
  Background running(members);
  ASSERT_TRUE(eventually([&] { return broker().describe_group(group).state == "Stable"; }));
  send("m", 50);

  KafkaSource fixed(reading_fixed());
  Runtime intruder(quick());
  intruder.add(fixed, *store, handler);
  Background intruding(intruder);
  // It is refused when it has something to commit: as long as the members are quicker than its start it has not.
  for (int n = 0; n < 1'000 && !intruding.ended(); ++n) {
    send("more" + std::to_string(n) + "-", 1);
    std::this_thread::sleep_for(20ms);
  }
  const Exit exit = intruding.exit();
  EXPECT_EQ(exit.reason, ExitReason::source_failed);
  EXPECT_TRUE(says(exit, group)) << exit.detail;
  send("n", 50);
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << "the members go on: " << balance();
  EXPECT_TRUE(running.stop().ok());
}

TEST_F(BadKafka, PartitionsThatAreAddedAreRead) {
  make_topic(1);
  auto store = open_store(file);
  KafkaSource source(reading({{"topic.metadata.refresh.interval.ms", "500"}}));
  Recorder handler;
  Runtime runtime(quick());
  runtime.add(source, *store, handler);
  Background running(runtime);
  send("m", 50, 0);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }));
  KafkaTools::run("org.apache.kafka.tools.TopicCommand", {"--bootstrap-server", broker().bootstrap(),
                                                          "--alter", "--topic", topic, "--partitions", "3"});
  send("n", 50, 2);
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(running.stop().ok());
}

// --- Messages
// -----------------------------------------------------------------------------------------------------------

TEST_F(BadKafka, StrangeMessagesArriveAsTheyAre) {
  broker().create_topic(topic, 1, {{"max.message.bytes", "33554432"}});
  std::vector<std::pair<std::string, Bytes>> many = {{"id", "many headers"}};
  for (int i = 1; i < 100'000; ++i) many.push_back({"h" + std::to_string(i), std::to_string(i)});
  const std::string huge(10 << 20, 'x'), long_id(1 << 20, 'i');
  const std::vector<Record> records = {
      {.key = std::nullopt, .payload = std::nullopt, .headers = {{"id", "null"}}},
      {.key = "", .payload = "", .headers = {{"id", "empty"}}},
      {.key = "k", .payload = huge, .headers = {{"id", "huge"}}},
      {.payload = "p", .headers = {{"id", long_id + "1"}}},
      {.payload = "p", .headers = {{"id", long_id + "2"}}},
      {.payload = "p", .headers = {{"id", "a\0b"s}}},
      {.payload = "p", .headers = {{"id", "a\0c"s}}},
      {.payload = "p", .headers = {{"id", "\xff\xfe"}}},
      {.payload = "p", .headers = {{"id", "'; DROP TABLE effects; --"}}},
      {.payload = "p", .headers = many}};
  KafkaClient large(broker().bootstrap(), {{"message.max.bytes", "33554432"}, {"compression.type", "none"}});
  for (int copies = 0; copies < 2; ++copies) {
    large.produce(topic, records);
    large.produce(topic, {{.payload = "no id"}, {.payload = "null id", .headers = {{"id", std::nullopt}}}});
  }
  sent = ids_of(records);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(life.counters.duplicates, records.size());
  EXPECT_EQ(life.counters.parked, 4u);
  EXPECT_EQ(committed(), log_ends());
  const auto all = effects();
  ASSERT_EQ(all.size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_TRUE(all[i].payload == records[i].payload) << i;
    EXPECT_TRUE(all[i].key == records[i].key) << i;
  }
}

TEST_F(BadKafka, MoreHeadersThanTheClientLibraryReadsAreNoId) {
  make_topic();
  send("before", 10, 0);
  std::vector<std::pair<std::string, Bytes>> many = {{"id", "unreadable"}};
  for (int i = 0; i < 100'000; ++i) many.push_back({"h", std::nullopt});
  client().produce(topic, {{.payload = "kept", .headers = many, .partition = 0}});
  send("after", 10, 0);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  const auto lot = open_store(file)->ledger({"test", RuntimeOptions{}.retention})->parked();
  ASSERT_EQ(lot.size(), 1u);
  EXPECT_EQ(lot[0].reason, ParkReason::no_id);
  EXPECT_EQ(lot[0].offset, 10);
  EXPECT_EQ(lot[0].payload, "kept");
}

TEST_F(BadKafka, ABudgetSmallerThanTheBacklogIsKept) {
  make_topic(3);
  for (int i = 0; i < 3; ++i) {
    std::vector<Record> large;
    for (int j = 0; j < 100; ++j) {
      const std::string id = "m" + std::to_string(i) + "-" + std::to_string(j);
      large.push_back({.payload = std::string(20'000, 'x'), .headers = {{"id", id}}, .partition = i});
    }
    send(large);
  }
  RuntimeOptions options = quick();
  options.budget = {.messages = 20, .bytes = 200'000};
  auto store = open_store(file);
  KafkaSource source(reading());
  std::atomic<std::uint64_t> most{0};
  Runtime runtime(options);
  Recorder handler([&](const Message&, Transaction&) -> std::optional<Outcome> {
    most = std::max<std::uint64_t>(most, runtime.counters().bytes_in_flight);
    return std::nullopt;
  });
  runtime.add(source, *store, handler);
  const Exit exit = runtime.run_until_caught_up();
  EXPECT_TRUE(exit.ok()) << exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_GT(most, 0u);
  EXPECT_LE(most, 200'000u + 20'100u) << "one message may go over it";
}

}  // namespace
}  // namespace idem::test
