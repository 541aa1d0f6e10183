// Options and properties that would break the promise are refused by name, with what to use instead.
#include <gtest/gtest.h>

#include <idem/kafka_publisher.h>

namespace idem {
namespace {

using namespace std::chrono_literals;

KafkaPublisherOptions options(std::map<std::string, std::string> more = {}) {
  KafkaPublisherOptions o;
  o.properties = {{"bootstrap.servers", "127.0.0.1:1"}};
  for (auto& [name, value] : more) o.properties[name] = value;
  o.close_timeout = 0ms;
  return o;
}

void refused(const KafkaPublisherOptions& options, std::initializer_list<const char*> words) {
  try {
    KafkaPublisher publisher(options);
    ADD_FAILURE() << "it starts";
  } catch (const std::invalid_argument& e) {
    const std::string what = e.what();
    for (const char* word : words) EXPECT_NE(what.find(word), std::string::npos) << word << " is not in: " << what;
    EXPECT_EQ(what.find("s3cret"), std::string::npos) << what;
    EXPECT_EQ(what.find("source"), std::string::npos) << what;
  }
}

TEST(KafkaPublisherOptions, properties_that_break_the_promise) {
  refused(options({{"acks", "1"}}), {"acks=1", "acks=all"});
  refused(options({{"request.required.acks", "0"}}), {"acks=0", "leave it out"});
  refused(options({{"enable.idempotence", "false"}}), {"enable.idempotence=false", "leave it out"});
  refused(options({{"enable.gapless.guarantee", "false"}}), {"enable.gapless.guarantee=false"});
  refused(options({{"retries", "3"}}), {"message.send.max.retries=3", "give_up"});
  refused(options({{"delivery.timeout.ms", "5000"}}), {"delivery.timeout.ms", "delivery_timeout", "give_up"});
  refused(options({{"message.timeout.ms", "5000"}}), {"message.timeout.ms=5000", "delivery_timeout"});
  refused(options({{"queuing.strategy", "lifo"}}), {"queuing.strategy=lifo", "order"});
  refused(options({{"delivery.report.only.error", "true"}}), {"delivery.report.only.error=true"});
  refused(options({{"transactional.id", "x"}}), {"transactional.id=x", "no transactions"});
}

TEST(KafkaPublisherOptions, properties_that_are_wrong) {
  refused(options({{"no.such.property", "1"}}), {"no.such.property", "CONFIGURATION.md"});
  refused(options({{"linger.ms", "soon"}}), {"linger.ms"});
  refused(options({{"bootstrap.servers", ""}}), {"bootstrap.servers", "localhost:9092"});
  refused(options({{"sasl.password", "s3cret"}, {"acks", "1"}}), {"acks=1"});
}

TEST(KafkaPublisherOptions, members_that_are_wrong) {
  auto o = options();
  o.id_header = "";
  refused(o, {"KafkaPublisherOptions::id_header"});
  (o = options()).queue_messages = 0;
  refused(o, {"queue_messages"});
  (o = options()).queue_bytes = 0;
  refused(o, {"queue_bytes"});
  (o = options()).wait_for_room = -1ms;
  refused(o, {"wait_for_room"});
  (o = options()).delivery_timeout = 0ms;
  refused(o, {"delivery_timeout"});
  (o = options()).give_up = 0ms;
  refused(o, {"give_up"});
  (o = options()).close_timeout = -1ms;
  refused(o, {"close_timeout"});
}

TEST(KafkaPublisherOptions, saying_what_is_so_anyway_is_allowed) {
  KafkaPublisher publisher(options({{"acks", "all"},
                                    {"enable.idempotence", "TRUE"},
                                    {"retries", "2147483647"},
                                    {"linger.ms", "1"},
                                    {"partitioner", "consistent_random"}}));
}

TEST(KafkaPublisherOptions, without_a_broker_it_says_so_in_time_and_when_there_is_no_room) {
  auto o = options();
  o.give_up = 500ms;
  o.queue_messages = 2;
  o.wait_for_room = 0ms;
  KafkaPublisher publisher(o);
  auto first = publisher.publish_async({.topic = "t", .key = "k", .id = "first"});
  auto second = publisher.publish_async({.topic = "t", .key = "k"});
  const PublishResult full = publisher.publish({.topic = "t"});
  EXPECT_EQ(full.known, PublishResult::Known::refused);
  EXPECT_NE(full.why.find("no room"), std::string::npos) << full.why;
  const PublishResult late = first.get();
  EXPECT_EQ(late.known, PublishResult::Known::refused) << "it never left, which is certain";
  EXPECT_NE(late.why.find("give_up"), std::string::npos) << late.why;
  const PublishResult behind = second.get();
  EXPECT_EQ(behind.known, PublishResult::Known::refused);
  EXPECT_NE(behind.why.find("\"first\""), std::string::npos) << behind.why;
  EXPECT_TRUE(publisher.resume("t", "k"));
}

TEST(KafkaPublisherOptions, closed_without_a_broker_it_names_what_was_not_sent) {
  KafkaPublisher publisher(options());
  auto result = publisher.publish_async({.topic = "t", .id = "a"});
  const Unresolved left = publisher.close(0ms);
  EXPECT_EQ(left.not_sent, std::vector<std::string>{"a"});
  EXPECT_TRUE(left.unknown.empty());
  EXPECT_EQ(result.get().known, PublishResult::Known::refused);
}

}  // namespace
}  // namespace idem
