// KafkaPublisher on a real Kafka, read back with another client.
#include "kafka_publishing.h"

namespace idem::test {
namespace {

struct KafkaPublish : testing::Test, KafkaPublishing {
  void SetUp() override { IDEM_NEEDS("kafka", KafkaBroker::unavailable()); }
};

TEST_F(KafkaPublish, a_message_is_stored_as_it_was_given) {
  create_topic(1);
  KafkaPublisher publisher(options());
  const PublishResult result = publisher.publish({.topic = topic,
                                                  .key = "k",
                                                  .payload = "hello",
                                                  .id = "id-1",
                                                  .headers = {{"a", "1"}, {"null", std::nullopt}, {"a", "2"}},
                                                  .timestamp = Timestamp(1'700'000'000'123ms)});
  EXPECT_EQ(result.known, Known::stored) << result.why;
  EXPECT_EQ(result.id, "id-1");
  const auto there = found();
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].key, "k");
  EXPECT_EQ(there[0].payload, "hello");
  EXPECT_EQ(there[0].timestamp_ms, 1'700'000'000'123);
  const std::vector<std::pair<std::string, Bytes>> headers = {
      {"a", "1"}, {"null", std::nullopt}, {"a", "2"}, {"message-id", "id-1"}};
  EXPECT_EQ(there[0].headers, headers);
}

TEST_F(KafkaPublish, null_and_empty_are_not_the_same) {
  create_topic(1);
  KafkaPublisherOptions o = options();
  o.id_header = "my-id";
  KafkaPublisher publisher(o);
  const auto results = publisher.publish_all(
      {{.topic = topic, .key = "", .payload = ""}, {.topic = topic, .key = std::nullopt, .payload = std::nullopt}});
  for (const auto& result : results) EXPECT_TRUE(result.stored()) << result.why;
  const auto there = found();
  ASSERT_EQ(there.size(), 2u);
  EXPECT_EQ(there[0].key, "");
  EXPECT_EQ(there[0].payload, "");
  EXPECT_EQ(there[1].key, std::nullopt);
  EXPECT_EQ(there[1].payload, std::nullopt);
  EXPECT_EQ(results[0].id.size(), 36u);
  EXPECT_EQ(id_of(there[0], "my-id"), results[0].id);
}

TEST_F(KafkaPublish, a_key_goes_to_one_partition_in_order) {
  create_topic(4);
  KafkaPublisher publisher(options());
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 2'000; ++i)
    results.push_back(
        publisher.publish_async({.topic = topic, .key = "key" + std::to_string(i % 20), .id = std::to_string(i)}));
  EXPECT_TRUE(publisher.flush(120s));
  for (auto& result : results) EXPECT_TRUE(result.get().stored());
  std::map<std::string, int> partitions, latest;
  for (const auto& record : found()) {
    EXPECT_TRUE(partitions.emplace(*record.key, *record.partition).second ||
                partitions[*record.key] == record.partition);
    const int number = std::stoi(id_of(record));
    EXPECT_TRUE(!latest.contains(*record.key) || latest[*record.key] == number - 20) << number;
    latest[*record.key] = number;
  }
  EXPECT_EQ(latest.size(), 20u);
}

TEST_F(KafkaPublish, a_partition_may_be_named) {
  create_topic(4);
  KafkaPublisher publisher(options());
  EXPECT_TRUE(publisher.publish({.topic = topic, .key = "k", .partition = 3}).stored());
  EXPECT_EQ(found()[0].partition, 3);
}

TEST_F(KafkaPublish, too_large_for_the_client_is_refused_and_the_lane_goes_on) {
  create_topic(1);
  KafkaPublisher publisher(options());
  const PublishResult result = publisher.publish({.topic = topic, .key = "k", .payload = std::string(2 << 20, 'x')});
  EXPECT_EQ(result.known, Known::refused);
  EXPECT_NE(result.why.find("too large"), std::string::npos) << result.why;
  EXPECT_TRUE(publisher.publish({.topic = topic, .key = "k", .payload = "small"}).stored());
  EXPECT_TRUE(publisher.stopped().empty());
  EXPECT_EQ(found().size(), 1u);
}

// Kafka refuses whole batches: the small ones in it are not at fault.
TEST_F(KafkaPublish, too_large_for_the_topic_is_refused_and_its_neighbours_are_stored_in_order) {
  create_topic(1, {{"max.message.bytes", "2000"}});
  KafkaPublisherOptions o = options();
  o.properties["linger.ms"] = "50";
  KafkaPublisher publisher(o);
  std::vector<std::future<PublishResult>> results;
  const auto is_bad = [](int i) { return i == 20 || i == 40; };
  for (int i = 0; i < 60; ++i)
    results.push_back(publisher.publish_async(
        {.topic = topic, .key = "k", .payload = std::string(is_bad(i) ? 5'000 : 100, 'x'), .id = std::to_string(i)}));
  for (int i = 0; i < 60; ++i) {
    const PublishResult result = results[i].get();
    EXPECT_EQ(result.known, is_bad(i) ? Known::refused : Known::stored) << i << ": " << result.why;
  }
  EXPECT_TRUE(publisher.stopped().empty());
  expect_in_order({"k"}, 58);
}

TEST_F(KafkaPublish, what_cannot_be_sent_is_refused_by_name) {
  create_topic(1);
  KafkaPublisher publisher(options());
  const auto why = [&](KafkaOutgoing message) {
    const PublishResult result = publisher.publish(std::move(message));
    EXPECT_EQ(result.known, Known::refused);
    return result.why;
  };
  EXPECT_NE(why({.topic = ""}).find("KafkaOutgoing::topic"), std::string::npos);
  EXPECT_NE(why({.topic = topic, .partition = -1}).find("KafkaOutgoing::partition"), std::string::npos);
  EXPECT_NE(why({.topic = topic, .headers = {{"message-id", "x"}}}).find("KafkaOutgoing::id"), std::string::npos);
  EXPECT_NE(why({.topic = topic, .headers = {{"", "x"}}}).find("KafkaOutgoing::headers"), std::string::npos);
  EXPECT_TRUE(publisher.publish({.topic = topic, .id = std::string(300, 'i')}).stored());
}

TEST_F(KafkaPublish, an_unknown_partition_stops_its_lane_until_it_is_resumed) {
  create_topic(1);
  KafkaPublisher publisher(options());
  EXPECT_TRUE(publisher.publish({.topic = topic, .key = "k"}).stored());
  const KafkaOutgoing bad{.topic = topic, .partition = 7};
  const PublishResult result = publisher.publish(bad);
  EXPECT_EQ(result.known, Known::refused);
  EXPECT_NE(result.why.find("artition"), std::string::npos) << result.why;
  ASSERT_EQ(publisher.stopped().size(), 1u);
  EXPECT_EQ(publisher.stopped()[0].partition, 7);
  EXPECT_NE(publisher.publish(bad).why.find("resume()"), std::string::npos);
  EXPECT_TRUE(publisher.publish({.topic = topic, .key = "k"}).stored()) << "another lane";
  EXPECT_TRUE(publisher.resume(topic, std::nullopt, 7));
  EXPECT_FALSE(publisher.resume(topic, std::nullopt, 7));
  EXPECT_TRUE(publisher.stopped().empty());
}

TEST_F(KafkaPublish, closing_waits_for_the_answers) {
  create_topic(1);
  KafkaPublisher publisher(options());
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 1'000; ++i) results.push_back(publisher.publish_async({.topic = topic, .key = "k"}));
  EXPECT_TRUE(publisher.close(60s).empty());
  for (auto& result : results) EXPECT_TRUE(result.get().stored());
  EXPECT_NE(publisher.publish({.topic = topic}).why.find("closed"), std::string::npos);
  EXPECT_EQ(found().size(), 1'000u);
}

}  // namespace
}  // namespace idem::test
