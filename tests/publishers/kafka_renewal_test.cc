// A producer that fails for good is replaced, and nothing of a lane is skipped over it. On librdkafka's own broker,
// which fails on demand.
#include "kafka_publishing.h"
#include "support/mock_kafka.h"

#include <librdkafka/rdkafka.h>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <thread>

namespace idem::test {
namespace {

/// What the publishers log. Registered before the first of them looks for it.
std::ostringstream& logged() {
  static std::ostringstream text;
  return text;
}
const bool registered = [] {
  spdlog::register_logger(
      std::make_shared<spdlog::logger>("idem", std::make_shared<spdlog::sinks::ostream_sink_mt>(logged(), true)));
  return true;
}();

struct KafkaRenewal : testing::Test {
  KafkaPublisherOptions options() {
    KafkaPublisherOptions o;
    o.properties = {{"bootstrap.servers", kafka.bootstrap()},
                    {"linger.ms", "20"},
                    {"batch.num.messages", "10"},
                    {"retry.backoff.ms", "20"},
                    {"reconnect.backoff.ms", "20"},
                    {"reconnect.backoff.max.ms", "100"}};
    return o;
  }
  static std::vector<std::string> ids(const MockKafka& kafka) {
    std::vector<std::string> all;
    for (const StoredRecord& record : KafkaClient(kafka.bootstrap()).read_all("t")) all.push_back(id_of(record));
    return all;
  }
  /// 0, 1, 2, … each first appears after the one before it.
  static void expect_no_gap(const MockKafka& kafka, std::size_t count) {
    std::size_t next = 0;
    for (const std::string& id : ids(kafka)) {
      EXPECT_LE(std::stoul(id), next) << "a gap before it";
      if (std::stoul(id) == next) ++next;
    }
    EXPECT_EQ(next, count);
  }
  std::vector<std::future<PublishResult>> publish(KafkaPublisher& publisher, int count) {
    std::vector<std::future<PublishResult>> results;
    for (int i = 0; i < count; ++i)
      results.push_back(publisher.publish_async({.topic = "t", .key = "k", .id = std::to_string(i)}));
    return results;
  }

  MockKafka kafka;
  KafkaRenewal() { kafka.create_topic("t", 1); }
};

TEST_F(KafkaRenewal, after_a_fatal_error_all_that_is_unanswered_is_sent_again_in_order) {
  for (int error : {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED}) {
    MockKafka fresh;
    fresh.create_topic("t", 1);
    KafkaPublisherOptions o = options();
    o.properties["bootstrap.servers"] = fresh.bootstrap();
    o.properties["queue.buffering.max.messages"] = "20";  // so that most wait outside when the producer fails
    KafkaPublisher publisher(o);
    fresh.fail_next(KafkaRequest::produce, {0, error});
    for (auto& result : publish(publisher, 50)) {
      const PublishResult known = result.get();
      EXPECT_TRUE(known.stored()) << error << ": " << known.why;
    }
    EXPECT_TRUE(publisher.stopped().empty());
    expect_no_gap(fresh, 50);
  }
}

TEST_F(KafkaRenewal, errors_that_pass_are_retried_without_copies) {
  KafkaPublisher publisher(options());
  kafka.fail_next(KafkaRequest::produce,
                  {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});
  for (auto& result : publish(publisher, 30)) EXPECT_TRUE(result.get().stored());
  EXPECT_EQ(ids(kafka).size(), 30u);
  expect_no_gap(kafka, 30);
}

TEST_F(KafkaRenewal, a_silent_broker_is_left_for_a_new_producer) {
  KafkaPublisherOptions o = options();
  o.delivery_timeout = 500ms;
  KafkaPublisher publisher(o);
  EXPECT_TRUE(publisher.publish({.topic = "t", .key = "k", .id = "0"}).stored());
  kafka.set_latency(1, 600'000ms);
  auto held = publisher.publish_async({.topic = "t", .key = "k", .id = "1"});
  while (logged().str().find("delivery_timeout") == std::string::npos) std::this_thread::sleep_for(20ms);
  kafka.set_latency(1, 0ms);
  EXPECT_TRUE(held.get().stored());
  expect_no_gap(kafka, 2);
}

TEST_F(KafkaRenewal, a_topic_that_refuses_stops_its_lane_and_no_other) {
  kafka.create_topic("u", 1);
  KafkaPublisher publisher(options());
  kafka.fail_next(KafkaRequest::produce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  for (auto& result : publish(publisher, 30)) EXPECT_EQ(result.get().known, Known::refused);
  ASSERT_EQ(publisher.stopped().size(), 1u);
  EXPECT_TRUE(publisher.publish({.topic = "u", .key = "k"}).stored());
  EXPECT_NE(publisher.publish({.topic = "t", .key = "k"}).why.find("resume()"), std::string::npos);
  EXPECT_TRUE(publisher.resume("t", "k"));
  for (auto& result : publish(publisher, 5)) {
    const PublishResult known = result.get();
    EXPECT_TRUE(known.stored()) << known.why;
  }
  expect_no_gap(kafka, 5);
}

TEST_F(KafkaRenewal, sent_and_never_answered_is_unknown_and_what_is_behind_it_is_not_sent) {
  KafkaPublisherOptions o = options();
  o.give_up = 8s;
  o.properties["max.in.flight"] = "1";
  KafkaPublisher publisher(o);
  EXPECT_TRUE(publisher.publish({.topic = "t", .key = "k", .id = "before"}).stored());
  kafka.set_latency(1, 600'000ms);
  auto results = publish(publisher, 30);
  std::map<Known, int> counts;
  for (auto& result : results) {
    const PublishResult known = result.get();
    ++counts[known.known];
    EXPECT_FALSE(known.why.empty());
  }
  EXPECT_EQ(counts[Known::unknown], 10) << "the batch that had left";
  EXPECT_EQ(counts[Known::refused], 20);
  EXPECT_EQ(publisher.stopped().size(), 1u);
}

}  // namespace
}  // namespace idem::test
