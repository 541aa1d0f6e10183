// What logs of a real Kafka do to a reader: transactions, deletion, and topics that vanish.
#include <librdkafka/rdkafka.h>

#include "running_source.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"

namespace idem::test {
namespace {

class KafkaLog : public testing::TestWithParam<KafkaOptions::Mode> {
 protected:
  void SetUp() override {
    IDEM_NEEDS("kafka", KafkaBroker::unavailable());
    broker = &KafkaBroker::shared();
    topic = unique_name("log");
    broker->create_topic(topic, 1);
    client.emplace(broker->bootstrap());
  }
  KafkaOptions options(const std::map<std::string, std::string>& more = {}) {
    std::map<std::string, std::string> all = {{"topic.metadata.refresh.interval.ms", "500"}};
    all.insert(more.begin(), more.end());
    return options_for(broker->bootstrap(), topic, topic, GetParam(), all);
  }
  std::vector<Record> records(const std::string& stem, int count) {
    std::vector<Record> all;
    for (int i = 0; i < count; ++i) all.push_back({.payload = stem + std::to_string(i), .partition = 0});
    return all;
  }

  KafkaBroker* broker = nullptr;
  std::string topic;
  std::optional<KafkaClient> client;
};

std::string mode_name(const testing::TestParamInfo<KafkaOptions::Mode>& info) {
  return info.param == KafkaOptions::Mode::group ? "group" : "fixed";
}
INSTANTIATE_TEST_SUITE_P(Modes, KafkaLog, testing::Values(KafkaOptions::Mode::group, KafkaOptions::Mode::fixed),
                         mode_name);

TEST_P(KafkaLog, aborted_transactions_are_not_seen_and_the_end_is_behind_their_markers) {
  client->produce(topic, records("plain", 2));  // 0, 1
  {
    KafkaTransaction transaction(broker->bootstrap());
    transaction.produce(topic, records("aborted", 3));  // 2, 3, 4
    transaction.abort();  // its marker comes when the coordinator gets to it: at 5, or after the next records
  }
  std::vector<std::int64_t> committed{0, 1};
  {
    KafkaTransaction transaction(broker->bootstrap());
    for (const auto& at : transaction.produce(topic, records("kept", 2))) committed.push_back(at.offset);
    transaction.commit();
  }
  RunningSource running(options({{"isolation.level", "read_committed"}}));
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.partitions[0].end >= 9; }));
  EXPECT_EQ(running.recorder.partitions[0].offsets(), committed);
  EXPECT_EQ(running.recorder.partitions[0].end, 9) << "behind the last marker: a lag of zero can be reached";
  EXPECT_EQ(running.source.lag(running.recorder.partitions[0].handle, 9), 0);
  EXPECT_TRUE(running.commit(0, 9).ok);
  running.stop();

  RunningSource again(options({{"isolation.level", "read_committed"}}));
  again.start();
  ASSERT_TRUE(again.until([&] { return again.recorder.partitions[0].end == 9; }));
  EXPECT_EQ(again.recorder.partitions[0].assigned.log_end, 9);
  EXPECT_EQ(again.recorder.delivered, 0u);
}

TEST_P(KafkaLog, nothing_behind_an_open_transaction_is_delivered) {
  KafkaTransaction open(broker->bootstrap());
  open.produce(topic, records("open", 1));
  client->produce(topic, records("behind", 2));
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(running.until([&] { return running.held() == 1; }));
  running.linger(500ms);
  EXPECT_EQ(running.recorder.delivered, 0u);
  open.abort();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 2; }));
  EXPECT_EQ(running.recorder.partitions[0].offsets(), (std::vector<std::int64_t>{1, 2}));
}

TEST_P(KafkaLog, records_deleted_before_they_were_read_are_told) {
  client->produce(topic, records("x", 20));
  RunningSource running(options());
  running.recorder.message_hook = [&](auto& partition, auto&) {
    partition.paused = true;
    running.source.set_paused(partition.handle, true);
    return false;
  };
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 1; }));
  running.linger(200ms);
  broker->admin().delete_records({topic, 0}, 15);
  running.recorder.message_hook = nullptr;
  running.recorder.partitions[0].paused = false;
  running.source.set_paused(running.recorder.partitions[0].handle, false);
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 6; }));
  EXPECT_EQ(running.recorder.partitions[0].offsets(), (std::vector<std::int64_t>{0, 15, 16, 17, 18, 19}));
  EXPECT_TRUE(running.warned("deleted records before they were read"));
}

TEST_P(KafkaLog, a_topic_deleted_while_running_ends_the_run) {
  client->produce(topic, records("x", 3));
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 3; }));
  broker->delete_topic(topic);
  ASSERT_TRUE(running.until([&] { return !running.recorder.fatals.empty(); }, 60s));
  EXPECT_TRUE(running.said_fatal(topic)) << running.recorder.fatals.front();
}

TEST_P(KafkaLog, a_topic_created_anew_while_running_ends_the_run) {
  client->produce(topic, records("x", 5));
  RunningSource running(options());
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 5; }));
  broker->delete_topic(topic);
  broker->create_topic(topic, 1);
  client->produce(topic, records("new", 3));
  ASSERT_TRUE(running.until([&] { return !running.recorder.fatals.empty(); }, 60s));
  EXPECT_EQ(running.recorder.delivered, 5u) << "records of the new topic passed for those of the old one";
}

TEST_P(KafkaLog, the_origin_names_the_cluster_and_as_far_as_the_client_can_the_topic) {
  auto origin = [&] {
    RunningSource running(options());
    running.start();
    EXPECT_TRUE(running.until([&] { return running.held() == 1; }));
    return running.recorder.partitions[0].assigned.origin;
  };
  std::string first = origin();
  EXPECT_TRUE(first.starts_with("cluster=")) << first;
  EXPECT_EQ(origin(), first);
  broker->delete_topic(topic);
  broker->create_topic(topic, 1);
  if (rd_kafka_version() < 0x020300ff) GTEST_SKIP() << "this librdkafka cannot ask for a topic's id";
  EXPECT_NE(first.find(" topic="), std::string::npos) << first;
  EXPECT_NE(origin(), first) << "the topic was created anew";
}

TEST_P(KafkaLog, a_topic_that_was_never_there) {
  KafkaOptions wrong = options();
  wrong.topics = {topic, "never-created"};
  RunningSource running(wrong);
  try {
    running.start();
    FAIL() << "started";
  } catch (const std::runtime_error& failure) {
    EXPECT_NE(std::string(failure.what()).find("\"never-created\""), std::string::npos) << failure.what();
  }
}

}  // namespace
}  // namespace idem::test
