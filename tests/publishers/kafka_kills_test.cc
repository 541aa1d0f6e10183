// A real Kafka killed while it is published to: nothing that was said to be stored is missing, and no lane has a gap.
#include <atomic>
#include <mutex>
#include <thread>

#include "kafka_publishing.h"

namespace idem::test {
namespace {

struct KafkaKills : testing::Test, KafkaPublishing {
  void SetUp() override { IDEM_NEEDS("kafka", KafkaBroker::unavailable()); }
  KafkaBroker& broker() override {
    if (!own) own = std::make_unique<KafkaBroker>();
    return *own;
  }
  std::unique_ptr<KafkaBroker> own;
};

TEST_F(KafkaKills, nothing_confirmed_is_missing_and_every_key_is_in_order) {
  create_topic(3);
  KafkaPublisherOptions o = options();
  o.queue_messages = 2'000;
  o.wait_for_room = 300s;  // longer than any restart, or the stream is refused for lack of room
  KafkaPublisher publisher(o);
  std::mutex mutex;
  std::set<std::string> stored;
  std::atomic<bool> ended{false};
  std::atomic<int> published{0};
  std::thread stream([&] {
    while (!ended) {
      const int number = published++;
      publisher.publish_async({.topic = topic,
                               .key = "key" + std::to_string(number % 7),
                               .payload = std::string(200, 'x'),
                               .id = std::to_string(number)},
                              [&](const PublishResult& result) {
                                std::lock_guard lock(mutex);
                                if (result.stored()) stored.insert(result.id);
                              });
    }
  });
  const auto advance = [&](std::size_t count) {
    const auto size = [&] {
      std::lock_guard lock(mutex);
      return stored.size();
    };
    for (const std::size_t wanted = size() + count; size() < wanted;) std::this_thread::sleep_for(10ms);
  };
  for (int kill = 0; kill < 2; ++kill) {
    advance(500);
    broker().kill();
    broker().restart();
  }
  advance(500);
  ended = true;
  stream.join();
  EXPECT_TRUE(publisher.close(120s).empty());
  EXPECT_EQ(stored.size(), static_cast<std::size_t>(published)) << "each has come through in the end";
  EXPECT_TRUE(publisher.stopped().empty());
  std::set<std::string> there, keys;
  for (const StoredRecord& record : found()) there.insert(id_of(record));
  for (int key = 0; key < 7; ++key) keys.insert("key" + std::to_string(key));
  std::size_t missing = 0;
  for (const std::string& id : stored) missing += !there.contains(id);
  EXPECT_EQ(missing, 0u);
  std::printf("confirmed %zu missing %zu\n", stored.size(), missing);
  expect_in_order(keys, stored.size());
}

TEST_F(KafkaKills, closed_with_answers_outstanding_it_names_them) {
  create_topic(1);
  KafkaPublisher publisher(options());
  EXPECT_TRUE(publisher.publish({.topic = topic, .key = "k"}).stored());
  broker().pause();
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 10; ++i)
    results.push_back(publisher.publish_async({.topic = topic, .key = "k", .id = std::to_string(i)}));
  std::this_thread::sleep_for(500ms);
  const Unresolved left = publisher.close(0ms);
  EXPECT_EQ(left.unknown.size() + left.not_sent.size(), 10u);
  EXPECT_FALSE(left.unknown.empty());
  for (auto& result : results) EXPECT_NE(result.get().known, Known::stored);
  broker().resume();
}

}  // namespace
}  // namespace idem::test
