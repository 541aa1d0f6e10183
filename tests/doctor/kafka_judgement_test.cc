// What the facts about a cluster mean, without a cluster.
#include <gtest/gtest.h>

#include "doctor/kafka/judgement.h"
#include "findings.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using doctor::judge;
using doctor::KafkaFacts;
using doctor::TopicFacts;

const std::string day = "86400000";

TopicFacts sound_topic() {
  TopicFacts topic;
  topic.name = "payments";
  topic.partitions = {{0, 3, 3}, {1, 3, 3}};
  topic.configuration = {{"min.insync.replicas", "2"},
                         {"unclean.leader.election.enable", "false"},
                         {"retention.ms", "259200000"},
                         {"segment.ms", day},
                         {"cleanup.policy", "delete"}};
  return topic;
}

KafkaFacts sound_facts() {
  KafkaFacts facts;
  facts.bootstrap = "kafka:9092";
  facts.brokers = 3;
  facts.cluster_id = "this-cluster";
  facts.topics = {sound_topic()};
  facts.offsets = sound_topic();
  return facts;
}

struct KafkaJudgement : testing::Test {
  Report report() const {
    Report made = judge(facts, options);
    expect_words(made);
    return made;
  }
  Verdict topic(const std::string& name) const { return verdict(report(), "kafka.topic." + name, "payments"); }
  void set(const std::string& property, const std::string& value) { facts.topics[0].configuration[property] = value; }

  KafkaFacts facts = sound_facts();
  KafkaDoctorOptions options{.topics = {"payments"}};
};

TEST_F(KafkaJudgement, sound_settings_pass) { EXPECT_EQ(exit_code(report()), 0) << to_text(report()); }

TEST_F(KafkaJudgement, a_cluster_that_does_not_answer_fails_and_nothing_is_said_of_its_topics) {
  facts.error = "connection refused";
  EXPECT_EQ(report().size(), 1u);
  EXPECT_EQ(verdict(report(), "kafka.connection"), Verdict::fail);
}

TEST_F(KafkaJudgement, brokers) {
  for (const auto& [count, expected] :
       {std::pair{1, Verdict::fail}, {2, Verdict::fail}, {3, Verdict::pass}, {9, Verdict::pass}}) {
    facts.brokers = count;
    EXPECT_EQ(verdict(report(), "kafka.brokers"), expected) << count;
  }
}

TEST_F(KafkaJudgement, the_partition_with_fewest_replicas_counts) {
  facts.topics[0].partitions[1] = {1, 1, 1};
  EXPECT_EQ(topic("replication.factor"), Verdict::fail);
  facts.topics[0].partitions[1] = {1, 2, 2};
  EXPECT_EQ(topic("replication.factor"), Verdict::pass);
}

TEST_F(KafkaJudgement, more_in_sync_than_the_least_allowed) {
  EXPECT_EQ(topic("in.sync.replicas"), Verdict::pass);
  facts.topics[0].partitions[1].in_sync = 2;
  EXPECT_EQ(topic("in.sync.replicas"), Verdict::fail);
  EXPECT_TRUE(says(finding(report(), "kafka.topic.in.sync.replicas").reason, "2 of 3 replicas in sync in partition 1"));
  facts.topics[0].partitions[1].in_sync = 1;
  EXPECT_TRUE(says(finding(report(), "kafka.topic.in.sync.replicas").reason, "refused now"));
}

TEST_F(KafkaJudgement, min_insync_replicas) {
  set("min.insync.replicas", "1");
  EXPECT_EQ(topic("min.insync.replicas"), Verdict::fail);
}

TEST_F(KafkaJudgement, unclean_election) {
  set("unclean.leader.election.enable", "true");
  EXPECT_EQ(topic("unclean.leader.election.enable"), Verdict::fail);
}

TEST_F(KafkaJudgement, what_the_cluster_does_not_tell_is_unknown) {
  facts.topics[0].configuration.clear();
  facts.topics[0].configuration_error = "Cluster authorization failed";
  for (const char* name : {"in.sync.replicas", "min.insync.replicas", "unclean.leader.election.enable", "retention.ms"})
    EXPECT_EQ(topic(name), Verdict::unknown) << name;
  EXPECT_TRUE(says(finding(report(), "kafka.topic.retention.ms").reason, "authorization failed"));
  EXPECT_EQ(exit_code(report()), 2);
}

TEST_F(KafkaJudgement, the_store_must_remember_as_long_as_the_topic_keeps) {
  options.retention = std::chrono::days(3) - 1ms;
  EXPECT_EQ(topic("retention.ms"), Verdict::fail);
  options.retention = std::chrono::days(30);
  EXPECT_EQ(topic("retention.ms"), Verdict::pass);
}

// A record stays until its segment goes, and that goes when its youngest record is too old.
TEST_F(KafkaJudgement, a_segment_may_keep_records_longer_than_the_retention) {
  options.retention = std::chrono::days(4) - 1ms;
  EXPECT_EQ(topic("retention.ms"), Verdict::unknown);
  options.retention = std::chrono::days(4);
  EXPECT_EQ(topic("retention.ms"), Verdict::pass);
  set("segment.ms", "9223372036854775807");
  EXPECT_EQ(topic("retention.ms"), Verdict::unknown);
}

TEST_F(KafkaJudgement, no_retention_covers_a_topic_that_keeps_for_ever) {
  set("retention.ms", "-1");
  EXPECT_EQ(topic("retention.ms"), Verdict::fail);
  set("retention.ms", day);
  EXPECT_EQ(topic("retention.ms"), Verdict::pass);
  set("cleanup.policy", "compact");
  EXPECT_EQ(topic("retention.ms"), Verdict::fail);
  set("cleanup.policy", "compact,delete");
  EXPECT_EQ(topic("retention.ms"), Verdict::pass);
}

TEST_F(KafkaJudgement, a_topic_that_is_not_there_fails) {
  facts.topics[0] = TopicFacts{};
  facts.topics[0].name = "payments";
  facts.topics[0].error = "there is no such topic";
  EXPECT_EQ(topic("exists"), Verdict::fail);
  for (const Check& check : report())
    EXPECT_TRUE(check.subject != "payments" || check.name == "kafka.topic.exists") << check.name;
}

TEST_F(KafkaJudgement, committed_offsets_are_as_safe_as_their_topic) {
  const std::string name = "kafka.offsets.topic.replication.factor";
  facts.offsets->partitions[0].replicas = 1;
  EXPECT_EQ(verdict(report(), name), Verdict::fail);
  facts.offsets.reset();
  EXPECT_EQ(verdict(report(), name), Verdict::unknown);
}

TEST_F(KafkaJudgement, another_cluster_than_the_store_remembers) {
  options.remembered = {{"ledger", "payments", "cluster=this-cluster topic=abc"}};
  EXPECT_EQ(verdict(report(), "kafka.cluster.id"), Verdict::pass);
  options.remembered = {{"ledger", "payments", "cluster=other"}};
  EXPECT_EQ(verdict(report(), "kafka.cluster.id", "payments"), Verdict::fail);
  EXPECT_TRUE(says(finding(report(), "kafka.cluster.id").reason, "in cluster other")) << to_text(report());
  options.remembered = {{"ledger", "another", "cluster=other"}, {"ledger", "payments", ""}};
  for (const Check& check : report()) EXPECT_NE(check.name, "kafka.cluster.id");
  options.remembered = {{"ledger", "payments", "cluster=this-cluster"}};
  facts.cluster_id = "";
  EXPECT_EQ(verdict(report(), "kafka.cluster.id"), Verdict::unknown);
}

Report producer(std::map<std::string, std::string> properties) {
  return doctor::judge_producer({.properties = std::move(properties)});
}

TEST(KafkaProducerJudgement, is_made_only_of_producers) {
  EXPECT_TRUE(producer({{"bootstrap.servers", "x"}, {"group.id", "g"}}).empty());
}

TEST(KafkaProducerJudgement, takes_the_properties_as_librdkafka_does) {
  Report report = producer({{"enable.idempotence", "true"}});
  EXPECT_EQ(exit_code(report), 0) << to_text(report);
  report = producer({{"request.required.acks", "1"}, {"retries", "3"}});
  EXPECT_EQ(verdict(report, "kafka.producer.acks"), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.producer.retries"), Verdict::fail);
  EXPECT_EQ(verdict(report, "kafka.producer.enable.idempotence"), Verdict::fail);  // not the default
  expect_words(report);
  report = producer({{"acks", "all"}, {"enable.idempotence", "true"}, {"message.send.max.retries", "0"}});
  EXPECT_EQ(verdict(report, "kafka.producer.acks"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.producer.retries"), Verdict::fail);
}

TEST(KafkaProducerJudgement, refuses_what_librdkafka_does_not_know) {
  EXPECT_THROW(producer({{"acks", "all"}, {"no.such", "1"}}), std::invalid_argument);
}

}  // namespace
}  // namespace idem::test
