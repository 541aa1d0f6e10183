// Faults that only the in-process broker can be told to have.
#include <librdkafka/rdkafka.h>

#include "running_source.h"
#include "support/kafka_client.h"
#include "support/mock_kafka.h"

namespace idem::test {
namespace {

class KafkaFaults : public testing::Test {
 protected:
  KafkaFaults() {
    broker.create_topic("orders", 2);
    client.produce("orders", {{.payload = "a", .partition = 0}, {.payload = "b", .partition = 1}});
  }
  KafkaOptions options() { return options_for(broker.bootstrap(), "orders", "ledger"); }
  bool read_both(RunningSource& running) {
    return running.until([&] { return running.recorder.delivered == 2; });
  }

  MockKafka broker;
  KafkaClient client{broker.bootstrap()};
};

TEST_F(KafkaFaults, nobody_listens) {
  RunningSource running(options_for("127.0.0.1:1", "orders", "ledger"));
  auto begin = std::chrono::steady_clock::now();
  try {
    running.start();
    FAIL() << "started";
  } catch (const std::runtime_error& failure) {
    std::string text = failure.what();
    EXPECT_NE(text.find("127.0.0.1:1"), std::string::npos) << text;
    EXPECT_NE(text.find("orders"), std::string::npos) << text;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(KafkaFaults, a_partition_that_the_topic_does_not_have) {
  KafkaOptions wrong = options();
  wrong.partitions = {1, 2};
  RunningSource running(wrong);
  try {
    running.start();
    FAIL() << "started";
  } catch (const std::invalid_argument& refused) {
    EXPECT_NE(std::string(refused.what()).find("names 2, but topic \"orders\" has 2 partitions"), std::string::npos)
        << refused.what();
  }
}

TEST_F(KafkaFaults, commits_that_may_be_tried_again) {
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(read_both(running));
  // Not one that librdkafka itself tries again, and does not tell.
  broker.fail_next(KafkaRequest::offset_commit, {RD_KAFKA_RESP_ERR_UNKNOWN});
  CommitResult result = running.commit(0, 1);
  EXPECT_TRUE(!result.ok && result.retriable) << result.error;
  EXPECT_TRUE(running.commit(0, 1).ok);
}

TEST_F(KafkaFaults, commits_that_can_never_succeed) {
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(read_both(running));
  for (int error : {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE}) {
    broker.fail_next(KafkaRequest::offset_commit, {error});
    CommitResult result = running.commit(0, 1);
    EXPECT_TRUE(!result.ok && !result.retriable) << result.error;
    EXPECT_NE(result.error.find("orders[0]"), std::string::npos) << result.error;
    EXPECT_NE(result.error.find("ledger"), std::string::npos) << result.error;
  }
}

TEST_F(KafkaFaults, an_outage_is_told_once_and_its_end_too) {
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(read_both(running));
  broker.set_broker_up(1, false);
  ASSERT_TRUE(running.until([&] { return running.warned("no broker can be reached"); }));
  running.linger(2s);
  EXPECT_EQ(running.recorder.warnings.size(), 1u) << running.recorder.warnings.back();
  CommitResult unanswered = running.commit(0, 1);
  EXPECT_TRUE(!unanswered.ok && unanswered.retriable) << unanswered.error;
  broker.set_broker_up(1, true);
  client.produce("orders", {{.payload = "c", .partition = 0}});
  EXPECT_TRUE(running.until([&] { return running.recorder.delivered == 3 && running.warned("back"); }));
  EXPECT_TRUE(running.recorder.fatals.empty());
  EXPECT_TRUE(running.commit(0, 2).ok);
}

TEST_F(KafkaFaults, stop_ends_though_the_broker_is_gone) {
  RunningSource running(options());
  running.recorder.commit_on_revoke = true;
  running.start();
  ASSERT_TRUE(read_both(running));
  broker.set_broker_up(1, false);
  ASSERT_TRUE(running.until([&] { return running.warned("no broker can be reached"); }));
  auto begin = std::chrono::steady_clock::now();
  running.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(KafkaFaults, a_partition_that_is_assigned_and_never_fetched_is_noticed) {
  broker.fail_next(KafkaRequest::fetch, std::vector<int>(1'000, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION));
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(running.until([&] { return running.warned("silent for 30 s"); }, 50s));
  EXPECT_TRUE(running.recorder.fatals.empty()) << "it is asked again before that";
}

TEST_F(KafkaFaults, an_exception_of_the_runtime_comes_out_of_poll) {
  RunningSource running(options_for(broker.bootstrap(), "orders", "members", KafkaOptions::Mode::group,
                                    {{"session.timeout.ms", "6000"}}));
  running.recorder.start = [](const AssignedPartition&) -> StartAt { throw std::runtime_error("refused by the test"); };
  running.start();
  EXPECT_THROW(running.until([] { return false; }), std::runtime_error);
}

}  // namespace
}  // namespace idem::test
