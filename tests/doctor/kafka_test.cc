// One real broker, which is not enough: real fails.
#include <gtest/gtest.h>

#include <idem/idem.h>

#include "findings.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

struct DoctorKafka : testing::Test {
  void SetUp() override { IDEM_NEEDS("kafka", KafkaBroker::unavailable()); }
  KafkaBroker& broker() { return KafkaBroker::shared(); }
  KafkaDoctorOptions options(std::vector<std::string> topics) {
    return {.properties = {{"bootstrap.servers", broker().bootstrap()}}, .topics = std::move(topics)};
  }
  std::string topic = unique_name("doctor");
};

TEST_F(DoctorKafka, one_node_fails) {
  broker().create_topic(topic, 2);
  const Report report = examine_kafka(options({topic}));
  expect_words(report);
  EXPECT_EQ(exit_code(report), 1);
  EXPECT_EQ(verdict(report, "kafka.connection"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.brokers"), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.replication.factor", topic), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.in.sync.replicas", topic), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.min.insync.replicas", topic), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.unclean.leader.election.enable", topic), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.topic.retention.ms", topic), Verdict::unknown);  // 7 d and 7 d of segment.ms
  EXPECT_NE(verdict(report, "kafka.offsets.topic.replication.factor"), Verdict::pass);
  EXPECT_THROW(require_sound(report), NotSound);
}

TEST_F(DoctorKafka, the_topic_s_own_settings_are_read) {
  broker().create_topic(
      topic, 1,
      {{"min.insync.replicas", "2"}, {"unclean.leader.election.enable", "true"}, {"retention.ms", "1209600000"}});
  const Report report = examine_kafka(options({topic}));
  EXPECT_EQ(verdict(report, "kafka.topic.min.insync.replicas", topic), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.topic.unclean.leader.election.enable", topic), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.retention.ms", topic), Verdict::fail);
  EXPECT_TRUE(says(finding(report, "kafka.topic.retention.ms", topic).reason, "14 d")) << to_text(report);
}

TEST_F(DoctorKafka, a_topic_that_is_not_there_fails_and_is_not_made) {
  const Report report = examine_kafka(options({topic, topic}));
  EXPECT_EQ(verdict(report, "kafka.topic.exists", topic), Verdict::fail);
  EXPECT_EQ(broker().admin().partition_count(topic), 0);
}

TEST_F(DoctorKafka, bad_properties_of_a_producer_are_judged_and_do_not_stop_it) {
  KafkaDoctorOptions asked = options({});
  asked.properties["enable.idempotence"] = "true";
  asked.properties["acks"] = "1";  // librdkafka would refuse the two together
  asked.properties["group.id"] = "somebody";
  const Report report = examine_kafka(asked);
  EXPECT_EQ(verdict(report, "kafka.connection"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.producer.acks"), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.producer.enable.idempotence"), Verdict::pass);
}

struct Nothing : Handler {
  Outcome handle(const Message&, Transaction&) override { return done(); }
};

TEST_F(DoctorKafka, a_store_remembers_its_cluster) {
  broker().create_topic(topic, 1);
  KafkaClient(broker().bootstrap()).produce(topic, {{.payload = "x"}});
  const Scratch scratch("doctor");
  const std::string path = scratch / "store.db";
  {
    SqliteStore store({.path = path});
    KafkaSource source({.topics = {topic},
                        .properties = {{"bootstrap.servers", broker().bootstrap()}, {"group.id", topic}},
                        .mode = KafkaOptions::Mode::fixed});
    Nothing handler;
    Runtime runtime({.consumer = "ledger", .identity = id_from_position()});
    runtime.add(source, store, handler);
    const Exit exit = runtime.run_until_caught_up();
    ASSERT_TRUE(exit.ok()) << exit.detail;
  }
  KafkaDoctorOptions asked = options({topic});
  asked.remembered = remembered_topics(path);
  ASSERT_EQ(asked.remembered.size(), 1u);
  EXPECT_EQ(asked.remembered[0].consumer, "ledger");
  EXPECT_EQ(verdict(examine_kafka(asked), "kafka.cluster.id"), Verdict::pass);
  asked.remembered[0].origin = "cluster=another";
  EXPECT_EQ(verdict(examine_kafka(asked), "kafka.cluster.id", topic), Verdict::fail);
}

}  // namespace
}  // namespace idem::test
