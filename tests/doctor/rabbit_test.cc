// What AMQP alone shows of a real server, and that nothing is made or changed by asking.
#include <gtest/gtest.h>

#include "findings.h"
#include "rabbitmq/running_source.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

struct DoctorRabbit : testing::Test {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    client = std::make_unique<RabbitClient>(broker().uri());
  }
  static RabbitBroker& broker() { return RabbitBroker::shared(); }
  Report examine(std::vector<std::string> queues, std::vector<std::string> exchanges = {}) {
    Report report =
        examine_rabbitmq({.uri = broker().uri(), .queues = std::move(queues), .exchanges = std::move(exchanges)});
    expect_words(report);
    EXPECT_FALSE(says(to_text(report), "guest:guest"));
    return report;
  }
  const std::string queue = unique_name("queue");
  std::unique_ptr<RabbitClient> client;
};

TEST_F(DoctorRabbit, a_durable_queue_is_seen_and_the_rest_is_unknown) {
  client->declare_queue(queue);
  const Report report = examine({queue});
  EXPECT_EQ(verdict(report, "rabbitmq.connection"), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.exists", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.durable", queue), Verdict::pass);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.type", queue), Verdict::unknown);
  EXPECT_EQ(exit_code(report), 2);
}

TEST_F(DoctorRabbit, durable_is_seen_whatever_the_queue_s_arguments_are) {
  const std::string quorum = queue + "-quorum", limited = queue + "-limited", expiring = queue + "-expiring";
  client->declare_queue(quorum, {{"x-queue-type", std::string("quorum")}});
  client->declare_queue(limited, {{"x-max-length", std::int64_t{5}}, {"x-message-ttl", std::int64_t{1000}}});
  client->declare_queue(expiring, {{"x-expires", std::int64_t{600'000}}});
  const Report report = examine({quorum, limited, expiring});
  for (const auto& name : {quorum, limited, expiring})
    EXPECT_EQ(verdict(report, "rabbitmq.queue.durable", name), Verdict::pass) << name;
  // And they are as they were: a declaration with another argument would be refused.
  client->declare_queue(quorum, {{"x-queue-type", std::string("quorum")}});
  client->declare_queue(limited, {{"x-max-length", std::int64_t{5}}, {"x-message-ttl", std::int64_t{1000}}});
  client->declare_queue(expiring, {{"x-expires", std::int64_t{600'000}}});
  for (const auto& name : {quorum, limited, expiring}) client->delete_queue(name);
}

TEST_F(DoctorRabbit, queues_that_do_not_last_fail) {
  const std::string transient = queue + "-transient", fleeting = queue + "-fleeting";
  client->declare_queue(transient, {}, {.durable = false});
  client->declare_queue(fleeting, {}, {.auto_delete = true});
  const Report report = examine({transient, fleeting});
  EXPECT_EQ(verdict(report, "rabbitmq.queue.durable", transient), Verdict::fail);
  EXPECT_EQ(verdict(report, "rabbitmq.queue.durable", fleeting), Verdict::fail);
  EXPECT_TRUE(says(finding(report, "rabbitmq.queue.durable", fleeting).reason, "auto-delete"));
  EXPECT_EQ(exit_code(report), 1);
  for (const auto& name : {transient, fleeting}) client->delete_queue(name);
}

TEST_F(DoctorRabbit, what_is_not_there_fails_and_is_not_made) {
  const Report report = examine({queue}, {queue});
  EXPECT_EQ(verdict(report, "rabbitmq.queue.exists", queue), Verdict::fail);
  EXPECT_EQ(verdict(report, "rabbitmq.exchange.exists", queue), Verdict::fail);
  EXPECT_EQ(verdict(examine({queue}, {queue}), "rabbitmq.queue.exists", queue), Verdict::fail);
  EXPECT_EQ(verdict(examine({queue}, {queue}), "rabbitmq.exchange.exists", queue), Verdict::fail);
}

// What the doctor declares must be refused even where there is nothing to compare it with: somebody may delete the
// queue between its two questions.
TEST_F(DoctorRabbit, its_declarations_make_nothing) {
  EXPECT_THROW(client->declare_queue(queue, {{"x-expires", std::int64_t{-1}}}), std::runtime_error);
  RabbitClient another(broker().uri());
  EXPECT_THROW(another.declare_exchange(queue, "direct", true, {{"alternate-exchange", std::int64_t{0}}}),
               std::runtime_error);
  const Report report = examine({queue}, {queue});
  EXPECT_EQ(verdict(report, "rabbitmq.queue.exists", queue), Verdict::fail);
  EXPECT_EQ(verdict(report, "rabbitmq.exchange.exists", queue), Verdict::fail);
}

TEST_F(DoctorRabbit, exchanges_of_any_type) {
  client->declare_exchange(queue + "-topic", "topic");
  client->declare_exchange(queue + "-direct", "direct");
  client->declare_exchange(queue + "-transient", "fanout", /*durable=*/false);
  const Report report = examine({}, {queue + "-topic", queue + "-direct", queue + "-transient", "amq.fanout", ""});
  for (const std::string& name :
       {queue + "-topic", queue + "-direct", std::string("amq.fanout"), std::string("(default)")})
    EXPECT_EQ(verdict(report, "rabbitmq.exchange.durable", name), Verdict::pass) << name;
  EXPECT_EQ(verdict(report, "rabbitmq.exchange.durable", queue + "-transient"), Verdict::fail);
}

TEST_F(DoctorRabbit, an_exclusive_queue_fails) {
  // Another connection's: the lock that a running source holds.
  client->declare_queue(queue);
  RunningRabbit running({.uri = broker().uri(), .queue = queue});
  running.start();
  const std::string lock = "idem.lock." + queue;
  const Report report = examine({lock});
  EXPECT_EQ(verdict(report, "rabbitmq.queue.exists", lock), Verdict::fail);
  EXPECT_TRUE(says(finding(report, "rabbitmq.queue.exists", lock).reason, "exclusive")) << to_text(report);
}

TEST_F(DoctorRabbit, a_wrong_password_is_a_failed_connection_and_is_not_shown) {
  const Report report = examine_rabbitmq({.uri = broker().uri("guest", "hunter2"), .queues = {queue}});
  ASSERT_EQ(report.size(), 1u);
  EXPECT_EQ(verdict(report, "rabbitmq.connection"), Verdict::fail);
  EXPECT_FALSE(says(to_text(report), "hunter2")) << to_text(report);
  EXPECT_TRUE(says(report[0].reason, "refuses the login")) << report[0].reason;
}

TEST_F(DoctorRabbit, nobody_there_is_a_failed_connection) {
  const Report report = examine_rabbitmq({.uri = "amqp://127.0.0.1:1"});
  EXPECT_EQ(verdict(report, "rabbitmq.connection"), Verdict::fail);
  EXPECT_EQ(exit_code(report), 1);
}

TEST_F(DoctorRabbit, options_that_are_wrong_are_refused) {
  EXPECT_THROW((void)examine_rabbitmq({.uri = "http://x"}), std::invalid_argument);
  EXPECT_THROW((void)examine_rabbitmq({.uri = broker().uri(), .management = "127.0.0.1:15672"}), std::invalid_argument);
}

}  // namespace
}  // namespace idem::test
