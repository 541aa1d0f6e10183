// The Kafka part of the test support on a real broker.
#include <gtest/gtest.h>

#include <algorithm>

#include "kafka_broker.h"
#include "kafka_client.h"
#include "require.h"

namespace idem::test {
namespace {

std::vector<std::string> payloads(const std::vector<StoredRecord>& records) {
  std::vector<std::string> result;
  for (const auto& record : records) result.push_back(record.payload.value_or("(null)"));
  return result;
}

using Strings = std::vector<std::string>;

class RealKafka : public testing::Test {
 protected:
  void SetUp() override { IDEM_NEEDS("kafka", KafkaBroker::unavailable()); }
};

TEST_F(RealKafka, KeepsRecordsAsTheyWere) {
  KafkaBroker& broker = KafkaBroker::shared();
  const std::string topic = unique_name("records");
  broker.create_topic(topic, 2);
  KafkaClient client(broker.bootstrap());
  const std::vector<Record> sent = {
      {.key = "k",
       .payload = "v",
       .headers = {{"id", "1"}, {"none", std::nullopt}, {"empty", ""}},
       .partition = 0},
      {.key = std::nullopt, .payload = std::nullopt, .partition = 0, .timestamp_ms = 1'700'000'000'000},
      {.key = "", .payload = "", .partition = 0}};
  auto positions = client.produce(topic, sent);
  EXPECT_EQ(positions, (std::vector<Position>{{0, 0}, {0, 1}, {0, 2}}));
  auto found = client.read_all(topic);
  ASSERT_EQ(found.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(found[i].key, sent[i].key);
    EXPECT_EQ(found[i].payload, sent[i].payload);
    EXPECT_EQ(found[i].headers, sent[i].headers);
  }
  EXPECT_EQ(found[1].timestamp_ms, 1'700'000'000'000);
}

TEST_F(RealKafka, SeparatesCommittedFromAborted) {
  KafkaBroker& broker = KafkaBroker::shared();
  const std::string topic = unique_name("transactions");
  broker.create_topic(topic, 1);
  KafkaClient client(broker.bootstrap());
  KafkaTransaction aborted(broker.bootstrap()), committed(broker.bootstrap());
  aborted.produce(topic, {{.payload = "aborted"}});
  committed.produce(topic, {{.payload = "committed"}});
  EXPECT_EQ(payloads(client.read_all(topic, Isolation::read_committed)), Strings{});
  committed.commit();
  EXPECT_EQ(payloads(client.read_all(topic, Isolation::read_committed)), Strings{});
  aborted.abort();
  EXPECT_EQ(payloads(client.read_all(topic, Isolation::read_committed)), Strings{"committed"});
  EXPECT_EQ(payloads(client.read_all(topic)), (Strings{"aborted", "committed"}));
}

TEST_F(RealKafka, AgreesWithItsOwnToolOnCommittedOffsets) {
  IDEM_NEEDS("kafka", kafka_missing());
  KafkaBroker& broker = KafkaBroker::shared();
  const std::string topic = unique_name("offsets"), group = unique_name("group");
  broker.create_topic(topic, 3);
  KafkaClient client(broker.bootstrap());
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    client.produce(topic, std::vector<Record>(10, {.payload = "x", .partition = partition}));
  }
  EXPECT_TRUE(broker.committed(group).empty());
  client.commit(group, {topic, 0}, {4, ""});
  broker.admin().set_committed(group, {{{topic, 2}, {7, "by an operator"}}});
  EXPECT_EQ(broker.committed(group),
            (std::map<TopicPartition, std::int64_t>{{{topic, 0}, 4}, {{topic, 2}, 7}}));
  EXPECT_EQ(client.committed(group, topic, {0, 1, 2}),
            (std::map<std::int32_t, CommittedOffset>{{0, {4, ""}}, {2, {7, "by an operator"}}}));
  broker.reset_offsets(group, topic, {"--to-offset", "9"});
  for (const auto& [partition, offset] : broker.committed(group)) EXPECT_EQ(offset, 9);
  broker.admin().forget_committed(group, {{topic, 0}});
  EXPECT_EQ(broker.committed(group).size(), 2u);
  EXPECT_EQ(broker.describe_group(group).state, "Empty");
}

TEST_F(RealKafka, RecreatesATopicFromItsStart) {
  KafkaBroker& broker = KafkaBroker::shared();
  const std::string topic = unique_name("recreated");
  KafkaClient client(broker.bootstrap());
  broker.create_topic(topic, 1);
  EXPECT_THROW(broker.create_topic(topic, 1), std::runtime_error);
  client.produce(topic, std::vector<Record>(5, {.payload = "old"}));
  broker.admin().delete_records({topic, 0}, 3);
  EXPECT_EQ(client.watermarks({topic, 0}).low, 3);
  EXPECT_EQ(client.watermarks({topic, 0}).high, 5);
  broker.delete_topic(topic);
  broker.create_topic(topic, 2);
  EXPECT_EQ(client.read_all(topic).size(), 0u);
  EXPECT_EQ(broker.admin().partition_count(topic), 2);
}

TEST_F(RealKafka, RefusesToHarmTheSharedBroker) {
  EXPECT_THROW(KafkaBroker::shared().kill(), std::logic_error);
  EXPECT_THROW(KafkaBroker::shared().restart(), std::logic_error);
}

TEST_F(RealKafka, KeepsItsRecordsThroughKillAndRestart) {
  IDEM_NEEDS("kafka", kafka_missing());
  KafkaBroker broker;
  broker.create_topic("t", 1);
  KafkaClient client(broker.bootstrap());
  client.produce("t", {{.payload = "before"}});
  client.commit("g", {"t", 0}, {1, "kept"});
  broker.kill();
  EXPECT_THROW(broker.admin().wait_until_ready(std::chrono::milliseconds(100)), std::runtime_error);
  broker.restart();
  client.produce("t", {{.payload = "after"}});
  EXPECT_EQ(payloads(client.read_all("t")), (Strings{"before", "after"}));
  EXPECT_EQ(client.committed("g", "t", {0}), (std::map<std::int32_t, CommittedOffset>{{0, {1, "kept"}}}));
}

TEST_F(RealKafka, SaysWhyItDoesNotStart) {
  IDEM_NEEDS("kafka", kafka_missing());
  try {
    KafkaBroker broker({.properties = {{"num.io.threads", "none"}}});
    FAIL() << "started with a bad property";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("num.io.threads"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace idem::test
