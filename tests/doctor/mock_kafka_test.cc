// A cluster that shows its topics and not their configuration: librdkafka's own mock.
#include <gtest/gtest.h>

#include "findings.h"
#include "support/mock_kafka.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

TEST(DoctorMockKafka, configurations_that_cannot_be_read_are_unknown) {
  MockKafka kafka(3);
  kafka.create_topic("payments", 2, 3);
  const Report report =
      examine_kafka({.properties = {{"bootstrap.servers", kafka.bootstrap()}}, .topics = {"payments"}, .timeout = 5s});
  expect_words(report);
  EXPECT_EQ(verdict(report, "kafka.brokers"), Verdict::pass);
  EXPECT_EQ(verdict(report, "kafka.topic.replication.factor", "payments"), Verdict::pass);
  for (const char* name : {"min.insync.replicas", "in.sync.replicas", "unclean.leader.election.enable", "retention.ms"})
    EXPECT_EQ(verdict(report, std::string("kafka.topic.") + name, "payments"), Verdict::unknown) << name;
  EXPECT_EQ(exit_code(report), 2);
}

TEST(DoctorMockKafka, nobody_there_is_a_failed_connection) {
  const Report report =
      examine_kafka({.properties = {{"bootstrap.servers", "127.0.0.1:1"}, {"sasl.password", "hunter2"}},
                     .topics = {"payments"},
                     .timeout = 1s});
  ASSERT_EQ(report.size(), 1u);
  EXPECT_EQ(verdict(report, "kafka.connection", "127.0.0.1:1"), Verdict::fail);
  EXPECT_TRUE(says(report[0].reason, "refused")) << report[0].reason;
  EXPECT_FALSE(says(to_text(report), "hunter2"));
}

TEST(DoctorMockKafka, options_that_are_wrong_are_refused) {
  EXPECT_THROW((void)examine_kafka({}), std::invalid_argument);
  EXPECT_THROW((void)examine_kafka({.properties = {{"bootstrap.servers", "127.0.0.1:1"}, {"no.such", "1"}}}),
               std::invalid_argument);
}

}  // namespace
}  // namespace idem::test
