// What the management API shows beside AMQP, of a real server.
#include <gtest/gtest.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#else
#include <amqp.h>
#endif

#include <thread>

#include "findings.h"
#include "rabbitmq/running_source.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

struct DoctorManagement : testing::Test {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", no_server_of_its_own());
    client = std::make_unique<RabbitClient>(broker().uri());
  }
  // The shared server cannot be given a plugin.
  static std::optional<std::string> no_server_of_its_own() {
    if (std::filesystem::exists("/usr/lib/rabbitmq/bin/rabbitmq-server")) return RabbitBroker::unavailable();
    return "there is no rabbitmq-server to start (Debian package rabbitmq-server)";
  }
  static RabbitBroker& broker() {
    static RabbitBroker server({.management = true});
    return server;
  }
  static RabbitDoctorOptions options(std::vector<std::string> queues) {
    return {.uri = broker().uri(), .queues = std::move(queues), .management = "http://" + broker().management()};
  }
  static Report examine(std::vector<std::string> queues) {
    Report report = examine_rabbitmq(options(std::move(queues)));
    expect_words(report);
    return report;
  }
  Verdict of(const std::string& name, const std::string& what) {
    return verdict(examine({name}), "rabbitmq.queue." + what, name);
  }

  const std::string queue = unique_name("queue");
  std::unique_ptr<RabbitClient> client;
};

TEST_F(DoctorManagement, a_classic_queue_on_one_node) {
  client->declare_queue(queue);
  const Report report = examine({queue});
  EXPECT_EQ(exit_code(report), 1);
  EXPECT_EQ(verdict(report, "rabbitmq.nodes"), Verdict::fail);
  EXPECT_EQ(verdict(report, "rabbitmq.alarms"), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.durable", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.type", queue), Verdict::fail);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.dead_letter_exchange", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.overflow", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.expires", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.persistent_messages", queue), Verdict::unknown);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.consumer_timeout", queue), Verdict::unknown);
}

TEST_F(DoctorManagement, a_quorum_queue_has_its_type_and_too_few_members) {
  client->declare_queue(queue, {{"x-queue-type", std::string("quorum")}, {"x-delivery-limit", std::int64_t{5}}});
  const Report report = examine({queue});
  EXPECT_EQ(verdict(report, "rabbitmq.queue.type", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.members", queue), Verdict::fail);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.persistent_messages", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.dead_letter_exchange", queue), Verdict::fail);
}

TEST_F(DoctorManagement, expiring_messages_need_a_dead_letter_exchange_that_leads_somewhere) {
  const std::string dead = queue + "-dead";
  const RabbitArgs ttl{{"x-message-ttl", std::int64_t{60'000}}};
  client->declare_queue(queue, ttl);
  EXPECT_EQ(of(queue, "dead_letter_exchange"), Verdict::fail);

  RabbitArgs both = ttl;
  both["x-dead-letter-exchange"] = dead;
  const std::string other = queue + "-other";
  client->declare_queue(other, both);
  EXPECT_TRUE(says(finding(examine({other}), "rabbitmq.queue.dead_letter_exchange", other).reason, "does not exist"));
  client->declare_exchange(dead, "fanout");
  EXPECT_TRUE(
      says(finding(examine({other}), "rabbitmq.queue.dead_letter_exchange", other).reason, "no queue is bound"));
  client->declare_queue(dead);
  client->bind(dead, dead);
  EXPECT_EQ(of(other, "dead_letter_exchange"), Verdict::pass);
}

TEST_F(DoctorManagement, a_length_limit_that_drops_the_oldest_fails) {
  client->declare_queue(queue, {{"x-max-length", std::int64_t{5}}});
  EXPECT_EQ(of(queue, "overflow"), Verdict::fail);
  EXPECT_EQ(of(queue, "dead_letter_exchange"), Verdict::fail);
  const std::string other = queue + "-other";
  client->declare_queue(other, {{"x-max-length", std::int64_t{5}}, {"x-overflow", std::string("reject-publish")}});
  EXPECT_EQ(of(other, "overflow"), Verdict::pass);
  EXPECT_EQ(of(other, "dead_letter_exchange"), Verdict::pass);
}

TEST_F(DoctorManagement, policies_count_like_arguments) {
  client->declare_queue(queue);
  broker().ctl({"set_policy", "doctor", "^" + queue + "$", R"({"message-ttl": 60000, "max-length": 9})"});
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (of(queue, "overflow") != Verdict::fail && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(200ms);
  EXPECT_EQ(of(queue, "overflow"), Verdict::fail);
  EXPECT_TRUE(
      says(finding(examine({queue}), "rabbitmq.queue.dead_letter_exchange", queue).reason, "expire after 1 min"));
}

TEST_F(DoctorManagement, messages_that_are_not_persistent_fail) {
  client->declare_queue(queue);
  client->publish(queue, {{.payload = "persistent"},
                          {.payload = "not", .more = [](amqp_basic_properties_t& p) { p.delivery_mode = 1; }}});
  const auto deadline = std::chrono::steady_clock::now() + 60s;  // the API's figures are some seconds old
  while (of(queue, "persistent_messages") == Verdict::unknown && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(200ms);
  EXPECT_EQ(of(queue, "persistent_messages"), Verdict::fail);
}

TEST_F(DoctorManagement, a_memory_alarm_fails) {
  broker().ctl({"set_vm_memory_high_watermark", "0.00000001"});
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (verdict(examine({}), "rabbitmq.alarms") != Verdict::fail && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(200ms);
  EXPECT_EQ(verdict(examine({}), "rabbitmq.alarms"), Verdict::fail);
  broker().ctl({"set_vm_memory_high_watermark", "0.4"});
}

TEST_F(DoctorManagement, who_may_not_look_is_told_so_and_no_password_is) {
  client->declare_queue(queue);
  RabbitDoctorOptions asked = options({queue});
  asked.management = "http://guest:hunter2@" + broker().management();
  const Report report = examine_rabbitmq(asked);
  expect_words(report);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.type", queue), Verdict::unknown);
  EXPECT_EQ(verdict(report, "rabbitmq.nodes"), Verdict::unknown);
  EXPECT_TRUE(says(finding(report, "rabbitmq.nodes").reason, "refuses user \"guest\"")) << to_text(report);
  EXPECT_FALSE(says(to_text(report) + to_json(report), "hunter2"));
}

TEST_F(DoctorManagement, an_address_where_nothing_or_something_else_answers_is_unknown) {
  client->declare_queue(queue);
  RabbitDoctorOptions asked = options({queue});
  asked.management = "http://127.0.0.1:1";
  EXPECT_EQ(verdict(examine_rabbitmq(asked), "rabbitmq.queue.type", queue), Verdict::unknown);
  asked.management = "http://127.0.0.1:" + std::to_string(broker().port());
  EXPECT_EQ(verdict(examine_rabbitmq(asked), "rabbitmq.queue.type", queue), Verdict::unknown);
}

TEST_F(DoctorManagement, a_user_without_rights_sees_that_it_does_not_see) {
  client->declare_queue(queue);
  broker().ctl({"add_user", "reader", "secret"});
  broker().ctl({"set_permissions", "reader", "^$", "^$", ".*"});
  RabbitDoctorOptions asked = options({queue});
  asked.uri = broker().uri("reader", "secret");
  const Report report = examine_rabbitmq(asked);
  expect_words(report);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.exists", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.durable", queue), Verdict::unknown) << to_text(report);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.type", queue), Verdict::unknown);
}

}  // namespace
}  // namespace idem::test
