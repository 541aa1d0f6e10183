// What the facts about a server mean, without a server: above all the cluster that tests do not start.
#include <gtest/gtest.h>

#include "doctor/rabbitmq/judgement.h"
#include "findings.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using doctor::judge;
using doctor::QueueFacts;
using doctor::RabbitFacts;

RabbitFacts sound_facts() {
  RabbitFacts facts;
  facts.server = "amqp://rabbit";
  facts.version = "4.0.5";
  facts.management = "rabbit:15672";
  for (const char* name : {"a", "b", "c"}) facts.nodes.push_back({.name = name, .running = true});
  facts.exchanges = {{.name = "orders", .durable = true, .auto_delete = false}};
  facts.queues = {{.name = "payments", .durable = true, .auto_delete = false}};
  QueueFacts& queue = facts.managed["payments"];
  queue.type = "quorum";
  queue.members = 3;
  queue.settings = {{"dead-letter-exchange", "dead"}, {"consumer-timeout", "3600000"}};
  return facts;
}

struct RabbitJudgement : testing::Test {
  Report report() const {
    Report made = judge(facts, options);
    expect_words(made);
    return made;
  }
  Verdict queue_verdict(const std::string& name) const {
    return verdict(report(), "rabbitmq.queue." + name, "payments");
  }
  QueueFacts& queue() { return facts.managed["payments"]; }

  RabbitFacts facts = sound_facts();
  RabbitDoctorOptions options;
};

TEST_F(RabbitJudgement, sound_settings_pass) { EXPECT_EQ(exit_code(report()), 0) << to_text(report()); }

TEST_F(RabbitJudgement, without_management_most_is_unknown) {
  facts.management.clear();
  facts.managed.clear();
  facts.nodes.clear();
  EXPECT_EQ(exit_code(report()), 2);
  EXPECT_EQ(queue_verdict("durable"), Verdict::pass);
  for (const char* name :
       {"type", "dead_letter_exchange", "overflow", "expires", "persistent_messages", "consumer_timeout"})
    EXPECT_EQ(queue_verdict(name), Verdict::unknown) << name;
  EXPECT_EQ(verdict(report(), "rabbitmq.nodes"), Verdict::unknown);
  EXPECT_EQ(verdict(report(), "rabbitmq.alarms"), Verdict::unknown);
}

TEST_F(RabbitJudgement, nodes) {
  facts.nodes[1].running = false;
  EXPECT_TRUE(says(finding(report(), "rabbitmq.nodes").reason, "not running: b"));
  EXPECT_EQ(verdict(report(), "rabbitmq.nodes"), Verdict::fail);
  facts.nodes.resize(1);
  EXPECT_EQ(verdict(report(), "rabbitmq.nodes"), Verdict::fail);
}

TEST_F(RabbitJudgement, alarms) {
  EXPECT_EQ(verdict(report(), "rabbitmq.alarms"), Verdict::pass);
  facts.nodes[0].disk_alarm = true;
  facts.nodes[2].partitioned = true;
  EXPECT_EQ(verdict(report(), "rabbitmq.alarms"), Verdict::fail);
  EXPECT_TRUE(says(finding(report(), "rabbitmq.alarms").reason, "disk on a, network partition on c"));
}

TEST_F(RabbitJudgement, members_of_a_quorum_queue) {
  queue().members = 2;
  EXPECT_EQ(queue_verdict("members"), Verdict::fail);
}

// A quorum queue of 4.0 drops a message after 20 deliveries unless told otherwise; one of 3.x does not.
TEST_F(RabbitJudgement, a_dead_letter_exchange_is_needed_where_messages_are_dropped) {
  queue().settings.erase("dead-letter-exchange");
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::fail);
  queue().settings["delivery-limit"] = "-1";
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::pass);
  queue().settings.erase("delivery-limit");
  queue().settings["delivery-limit"] = "1000000";
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::pass);
  queue().settings.erase("delivery-limit");
  facts.version = "3.10.8";
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::pass);
  queue().settings["delivery-limit"] = "-1";  // no limit for 4, for 3 a limit of 0
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::fail);
  queue().settings["delivery-limit"] = "5";
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::fail);
  queue().settings.erase("delivery-limit");
  queue().settings["message-ttl"] = "60000";
  EXPECT_TRUE(says(finding(report(), "rabbitmq.queue.dead_letter_exchange").reason, "expire after 1 min"));
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::fail);
}

TEST_F(RabbitJudgement, a_dead_letter_exchange_that_leads_nowhere_fails) {
  queue().dead_letter_problem = "no queue is bound to exchange \"dead\"";
  EXPECT_EQ(queue_verdict("dead_letter_exchange"), Verdict::fail);
}

TEST_F(RabbitJudgement, overflow) {
  queue().settings["max-length-bytes"] = "1000";
  EXPECT_EQ(queue_verdict("overflow"), Verdict::fail);
  queue().settings["overflow"] = "reject-publish";
  EXPECT_EQ(queue_verdict("overflow"), Verdict::pass);
  queue().settings["overflow"] = "drop-head";
  EXPECT_EQ(queue_verdict("overflow"), Verdict::fail);
  queue().settings.erase("max-length-bytes");
  EXPECT_EQ(queue_verdict("overflow"), Verdict::pass);
}

TEST_F(RabbitJudgement, persistent_messages) {
  queue().type = "classic";
  EXPECT_EQ(queue_verdict("persistent_messages"), Verdict::unknown);
  queue().messages = 3;
  queue().persistent = 2;
  EXPECT_EQ(queue_verdict("persistent_messages"), Verdict::fail);
  queue().persistent = 3;
  EXPECT_EQ(queue_verdict("persistent_messages"), Verdict::pass);
}

TEST_F(RabbitJudgement, consumer_timeout) {
  EXPECT_EQ(queue_verdict("consumer_timeout"), Verdict::pass);
  options.consumer_timeout = 2h;
  EXPECT_EQ(queue_verdict("consumer_timeout"), Verdict::fail);
  options.consumer_timeout = 0ms;
  EXPECT_EQ(queue_verdict("consumer_timeout"), Verdict::fail);
  queue().settings.erase("consumer-timeout");
  EXPECT_EQ(queue_verdict("consumer_timeout"), Verdict::unknown);
}

TEST_F(RabbitJudgement, expiry_of_the_queue) {
  queue().settings["expires"] = "60000";
  EXPECT_EQ(queue_verdict("expires"), Verdict::fail);
}

}  // namespace
}  // namespace idem::test
