// librdkafka's in-process broker, and the client of the test support on it.
#include "mock_kafka.h"

#include <gtest/gtest.h>

#include "kafka_admin.h"
#include "kafka_client.h"

namespace idem::test {
namespace {

TEST(MockKafka, KeepsWhatIsProduced) {
  MockKafka kafka;
  kafka.create_topic("t", 1);
  KafkaClient client(kafka.bootstrap());
  EXPECT_EQ(client.produce("t", {{.payload = "a"}, {.payload = "b"}}),
            (std::vector<Position>{{0, 0}, {0, 1}}));
  auto found = client.read_all("t");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].payload, "a");
  EXPECT_EQ(found[1].payload, "b");
}

TEST(MockKafka, CommitsOffsetsAndFailsOnDemand) {
  MockKafka kafka;
  kafka.create_topic("t", 2);
  KafkaClient client(kafka.bootstrap());
  client.commit("g", {"t", 1}, {5, "note"});
  EXPECT_EQ(client.committed("g", "t", {0, 1}), (std::map<std::int32_t, CommittedOffset>{{1, {5, "note"}}}));
  constexpr int invalid_commit_offset_size = 28;
  kafka.fail_next(KafkaRequest::offset_commit, {invalid_commit_offset_size});
  EXPECT_THROW(client.commit("g", {"t", 1}, {6, ""}), std::runtime_error);
}

TEST(MockKafka, GoesDownAndComesUp) {
  MockKafka kafka;
  kafka.create_topic("t", 1);
  kafka.set_broker_up(1, false);
  KafkaAdmin admin(kafka.bootstrap());
  EXPECT_THROW(admin.wait_until_ready(std::chrono::milliseconds(300)), std::runtime_error);
  kafka.set_broker_up(1, true);
  admin.wait_until_ready(std::chrono::seconds(10));
  EXPECT_EQ(KafkaClient(kafka.bootstrap()).produce("t", {{.payload = "b"}}), (std::vector<Position>{{0, 0}}));
}

}  // namespace
}  // namespace idem::test
