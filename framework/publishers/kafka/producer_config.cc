#include "publishers/kafka/producer_config.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "sources/kafka/kafka_properties.h"

namespace idem::kafka {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument("Kafka publisher: " + what); }

void check(bool good, const std::string& member, const std::string& what) {
  if (!good) refuse("KafkaPublisherOptions::" + member + " " + what);
}

struct Rule {
  const char* property;
  std::string_view allowed;
  std::string_view why;
};

constexpr Rule rules[] = {
    {"enable.idempotence", "true", "a retry would store copies and change the order; leave it out"},
    {"acks", "-1", "what one broker has is lost with it; leave it out: idem waits for all replicas in sync (acks=all)"},
    {"enable.gapless.guarantee", "true", "a failed batch would be skipped and the next one stored; leave it out"},
    {"message.send.max.retries", "2147483647",
     "a message that is given up leaves a gap; leave it out and use KafkaPublisherOptions::give_up"},
    {"message.timeout.ms", "0",
     "(also called delivery.timeout.ms) librdkafka would drop the message and send those behind it; leave it out and "
     "use "
     "KafkaPublisherOptions::delivery_timeout and give_up, which stop the lane"},
    {"queuing.strategy", "fifo", "it changes the order; leave it out"},
    {"delivery.report.only.error", "false", "nobody would know what is stored; leave it out"},
    {"transactional.id", "", "the publisher has no transactions; leave it out: ids and idem's consumers drop copies"},
};

void set_defaults(Properties& properties, const KafkaPublisherOptions& options) {
  properties.set("client.id", "idem-" + options.name);
  properties.set("enable.idempotence", "true");
  properties.set("acks", "all");
  properties.set("enable.gapless.guarantee", "true");
  properties.set("message.timeout.ms", "0");
  properties.set("partitioner", "murmur2_random");
  // The publisher's own queue is the bound; librdkafka must not be full before it.
  properties.set("queue.buffering.max.messages",
                 std::to_string(std::clamp<std::size_t>(options.queue_messages + 1, 1'000, 10'000'000)));
  properties.set("queue.buffering.max.kbytes",
                 std::to_string(std::clamp<std::size_t>(options.queue_bytes / 512, 1 << 20, 2'097'151)));
}

}  // namespace

ProducerConfiguration configure_producer(const KafkaPublisherOptions& options) {
  check(!options.id_header.empty(), "id_header", "is empty: a consumer must find the id by a name");
  check(options.queue_messages >= 1, "queue_messages", "is 0: nothing could be taken");
  check(options.queue_bytes >= 1, "queue_bytes", "is 0: nothing could be taken");
  check(options.wait_for_room >= 0ms, "wait_for_room", "must not be negative");
  check(options.delivery_timeout > 0ms, "delivery_timeout", "must be longer than zero");
  check(options.give_up > 0ms, "give_up", "must be longer than zero");
  check(options.close_timeout >= 0ms, "close_timeout", "must not be negative");

  ProducerConfiguration made;
  made.name = "kafka " + options.name;
  made.id_header = options.id_header;
  made.secrets = secrets_of(options.properties);
  Properties properties("Kafka publisher", made.secrets);
  set_defaults(properties, options);
  for (const auto& [name, value] : options.properties) properties.set(name, value);
  for (const Rule& rule : rules)
    if (const std::string value = properties.get(rule.property); value != rule.allowed)
      refuse(std::string(rule.property) + "=" + value + " is refused: " + std::string(rule.why));
  if (properties.get("bootstrap.servers").empty())
    refuse("property bootstrap.servers is missing: name a broker, such as localhost:9092");
  made.conf = properties.take();
  return made;
}

std::string defect_of(const KafkaOutgoing& message, const std::string& id_header) {
  if (message.topic.empty()) return "KafkaOutgoing::topic is empty";
  if (message.partition && *message.partition < 0)
    return "KafkaOutgoing::partition is " + std::to_string(*message.partition) + "; leave it out for any partition";
  for (const auto& [name, value] : message.headers) {
    if (name.empty()) return "KafkaOutgoing::headers has an empty name";
    if (name == id_header)
      return "KafkaOutgoing::headers has \"" + name + "\", which carries the id: set KafkaOutgoing::id instead";
  }
  return "";
}

}  // namespace idem::kafka
