// Three real brokers with sound settings pass; each unsound setting among them fails by itself.
#include <gtest/gtest.h>

#include "findings.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"

namespace idem::test {
namespace {

const KafkaConfig sound = {{"min.insync.replicas", "2"}, {"retention.ms", "259200000"}, {"segment.ms", "86400000"}};

struct DoctorKafkaCluster : testing::Test {
  void SetUp() override { IDEM_NEEDS("kafka", kafka_missing()); }
  static KafkaBroker& cluster() {
    static KafkaBroker three({.properties = {{"auto.create.topics.enable", "true"}},
                              .heap_mb = 256,
                              .nodes = 3,
                              .start_timeout = std::chrono::seconds(180)});
    return three;
  }
  static Report examine(std::vector<std::string> topics) {
    Report report =
        examine_kafka({.properties = {{"bootstrap.servers", cluster().bootstrap()}}, .topics = std::move(topics)});
    expect_words(report);
    return report;
  }
};

TEST_F(DoctorKafkaCluster, sound_settings_pass) {
  cluster().create_topic("sound", 3, sound, /*replicas=*/3);
  Report report = examine({"sound"});
  // Nobody has committed an offset yet: the one thing that cannot be seen.
  EXPECT_EQ(exit_code(report), 2) << to_text(report);
  EXPECT_EQ(verdict(report, "kafka.offsets.topic.replication.factor"), Verdict::unknown);

  KafkaClient(cluster().bootstrap()).commit("group", {"sound", 0}, {.offset = 0});
  report = examine({"sound"});
  EXPECT_EQ(exit_code(report), 0) << to_text(report);
  EXPECT_EQ(verdict(report, "kafka.offsets.topic.replication.factor"), Verdict::pass);
  EXPECT_NO_THROW(require_sound(report));
}

// These brokers make a topic for whoever asks for one by name.
TEST_F(DoctorKafkaCluster, a_topic_that_is_asked_for_is_not_made) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(verdict(examine({"nobody-made-it"}), "kafka.topic.exists"), Verdict::fail);
  EXPECT_EQ(cluster().admin().partition_count("nobody-made-it"), 0);
}

TEST_F(DoctorKafkaCluster, each_unsound_topic_fails_by_itself) {
  cluster().create_topic("single", 1, {}, /*replicas=*/1);
  cluster().create_topic("tight", 1, sound, /*replicas=*/2);
  KafkaConfig loose = sound;
  loose["min.insync.replicas"] = "1";
  cluster().create_topic("loose", 1, loose, /*replicas=*/3);
  const Report report = examine({"single", "tight", "loose"});
  EXPECT_EQ(exit_code(report), 1);
  EXPECT_EQ(verdict(report, "kafka.brokers"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.topic.replication.factor", "single"), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.replication.factor", "tight"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.topic.in.sync.replicas", "tight"), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.topic.in.sync.replicas", "loose"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.topic.min.insync.replicas", "loose"), Verdict::fail);
}

}  // namespace
}  // namespace idem::test
