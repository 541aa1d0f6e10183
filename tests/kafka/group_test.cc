// Groups on a real Kafka: sharing, giving up, static membership, and who may commit.
#include "running_source.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"

namespace idem::test {
namespace {

class KafkaGroup : public testing::Test {
 protected:
  void SetUp() override {
    IDEM_NEEDS("kafka", KafkaBroker::unavailable());
    broker = &KafkaBroker::shared();
    topic = unique_name("group");
    broker->create_topic(topic, 2);
    client.emplace(broker->bootstrap());
  }
  KafkaOptions member(const std::map<std::string, std::string>& more = {}) {
    return options_for(broker->bootstrap(), topic, topic, KafkaOptions::Mode::group, more);
  }
  KafkaOptions fixed() { return options_for(broker->bootstrap(), topic, topic); }
  void produce(std::int32_t partition, int count) {
    std::vector<Record> records;
    for (int i = 0; i < count; ++i) records.push_back({.payload = "x", .partition = partition});
    client->produce(topic, records);
  }
  static bool until_both(RunningSource& a, RunningSource& b, const std::function<bool()>& so) {
    return a.until([&] {
      b.source.poll(0ms, 100);
      return so();
    });
  }

  KafkaBroker* broker = nullptr;
  std::string topic;
  std::optional<KafkaClient> client;
};

TEST_F(KafkaGroup, a_second_member_takes_over_where_the_first_committed_while_giving_up) {
  produce(0, 10);
  produce(1, 10);
  RunningSource first(member()), second(member());
  first.recorder.commit_on_revoke = second.recorder.commit_on_revoke = true;
  first.start();
  ASSERT_TRUE(first.until([&] { return first.recorder.delivered == 20; }));
  second.start();
  ASSERT_TRUE(until_both(first, second, [&] { return second.held() == 1 && first.held() == 1; }));
  EXPECT_EQ(first.recorder.revoked, 1);
  EXPECT_EQ(first.recorder.lost, 0);
  for (const auto& [number, partition] : second.recorder.partitions) {
    EXPECT_EQ(partition.assigned.committed, 10);
    EXPECT_EQ(partition.assigned.metadata, "on revoke");
  }
  second.linger(300ms);
  EXPECT_EQ(second.recorder.delivered, 0u);

  // And back: what the second did in between is not done again.
  for (int number : {0, 1}) produce(number, 5);
  ASSERT_TRUE(until_both(first, second, [&] { return first.recorder.delivered + second.recorder.delivered == 30; }));
  second.stop();
  ASSERT_TRUE(first.until([&] { return first.held() == 2; }));
  first.linger(300ms);
  EXPECT_EQ(first.recorder.delivered + second.recorder.delivered, 30u);
}

TEST_F(KafkaGroup, a_static_member_comes_back_to_its_partitions_without_disturbing_others) {
  RunningSource other(member({{"group.instance.id", "b"}, {"session.timeout.ms", "20000"}}));
  auto one = std::make_unique<RunningSource>(member({{"group.instance.id", "a"}, {"session.timeout.ms", "20000"}}));
  one->start();
  other.start();
  ASSERT_TRUE(until_both(other, *one, [&] { return one->held() == 1 && other.held() == 1; }));
  int revoked = other.recorder.revoked;
  std::int32_t mine = one->recorder.partitions.begin()->first;
  for (const auto& [number, partition] : one->recorder.partitions)
    if (partition.held) mine = number;
  one.reset();
  one = std::make_unique<RunningSource>(member({{"group.instance.id", "a"}, {"session.timeout.ms", "20000"}}));
  auto begin = std::chrono::steady_clock::now();
  one->start();
  ASSERT_TRUE(until_both(other, *one, [&] { return one->held() == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_TRUE(one->recorder.partitions.at(mine).held);
  EXPECT_EQ(other.recorder.revoked, revoked) << "the other member was disturbed";
}

TEST_F(KafkaGroup, two_processes_with_one_instance_id) {
  RunningSource older(member({{"group.instance.id", "a"}})), younger(member({{"group.instance.id", "a"}}));
  older.start();
  ASSERT_TRUE(older.until([&] { return older.held() == 2; }));
  younger.start();
  ASSERT_TRUE(until_both(older, younger, [&] { return younger.held() == 2 && !older.recorder.fatals.empty(); }));
  EXPECT_TRUE(older.said_fatal("group.instance.id")) << older.recorder.fatals.front();
  older.stop();
  EXPECT_EQ(older.held(), 0u);
  EXPECT_EQ(older.recorder.lost, 1);
}

TEST_F(KafkaGroup, fixed_partitions_while_the_group_has_members) {
  produce(0, 3);
  RunningSource subscribed(member());
  subscribed.start();
  ASSERT_TRUE(subscribed.until([&] { return subscribed.held() == 2; }));
  RunningSource outsider(fixed());
  outsider.start();
  ASSERT_TRUE(outsider.until([&] { return outsider.recorder.delivered == 3; }));
  CommitResult result = outsider.commit(0, 3);
  EXPECT_FALSE(result.ok);
  EXPECT_FALSE(result.retriable);
  EXPECT_NE(result.error.find(topic), std::string::npos) << result.error;
  EXPECT_NE(result.error.find("Mode::fixed and Mode::group cannot share a group"), std::string::npos) << result.error;
  EXPECT_TRUE(subscribed.commit(0, 3).ok) << "the members are not harmed";
}

TEST_F(KafkaGroup, fixed_partitions_with_an_instance_id_commit) {
  produce(0, 3);
  KafkaOptions options = fixed();
  options.properties["group.instance.id"] = "a";
  RunningSource running(options);
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 3; }));
  CommitResult result = running.commit(0, 3);
  EXPECT_TRUE(result.ok) << result.error;
}

TEST_F(KafkaGroup, metadata_that_the_broker_finds_too_large) {
  produce(0, 1);
  RunningSource running(fixed());
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 1; }));
  CommitResult result = running.commit(0, 1, std::string(10'000, 'x'));
  EXPECT_TRUE(!result.ok && !result.retriable) << result.error;
  EXPECT_TRUE(running.commit(0, 1, std::string(1'000, 'x')).ok);
  EXPECT_EQ((client->committed(topic, topic, {0})[0].metadata), std::string(1'000, 'x'));
}

TEST_F(KafkaGroup, a_commit_that_fails_for_one_partition_is_not_hidden_by_the_others) {
  produce(0, 1);
  produce(1, 1);
  RunningSource running(fixed());
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 2; }));
  std::vector<Commit> commits;
  for (auto& [number, partition] : running.recorder.partitions)
    commits.push_back(
        {partition.handle, partition.assigned.partition, 1, number == 0 ? std::string(10'000, 'x') : "fine"});
  for (bool wait : {true, false}) {
    running.recorder.results.clear();
    running.source.commit(commits, wait);
    ASSERT_TRUE(running.until([&] { return running.recorder.results.size() == 2; }));
    for (const CommitResult& result : running.recorder.results) {
      if (result.handle == running.recorder.partitions[0].handle) {
        EXPECT_FALSE(result.ok);
      }
    }
  }
}

TEST_F(KafkaGroup, latest_begins_at_the_end_and_error_does_not_begin) {
  produce(0, 5);
  {
    KafkaOptions options = fixed();
    options.properties["auto.offset.reset"] = "latest";
    RunningSource running(options);
    running.start();
    EXPECT_EQ(running.recorder.partitions[0].assigned.initial, 5);
    produce(0, 1);
    ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 1; }));
    EXPECT_EQ(running.recorder.partitions[0].offsets(), std::vector<std::int64_t>{5});
  }
  KafkaOptions options = fixed();
  options.properties["auto.offset.reset"] = "error";
  RunningSource running(options);
  EXPECT_THROW(running.start(), std::runtime_error);
}

}  // namespace
}  // namespace idem::test
