#include "sources/kafka/kafka_config.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace idem::kafka {
namespace {

constexpr int cooperative_works_from = 0x020a00ff;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument("Kafka source: " + what); }

void check_options(const KafkaOptions& options) {
  if (options.topics.empty()) refuse("KafkaOptions::topics is empty: name the topics to read");
  std::set<std::string> topics;
  for (const std::string& topic : options.topics) {
    if (topic.empty()) refuse("KafkaOptions::topics holds an empty name");
    if (topic.front() == '^')
      refuse("KafkaOptions::topics: \"" + topic + "\" is a pattern; name the topics one by one");
    if (!topics.insert(topic).second) refuse("KafkaOptions::topics names \"" + topic + "\" twice");
  }
  if (options.mode == KafkaOptions::Mode::group && !options.partitions.empty())
    refuse("KafkaOptions::partitions is for Mode::fixed; in Mode::group the group shares the partitions out");
  std::set<std::int32_t> partitions;
  for (std::int32_t partition : options.partitions)
    if (partition < 0 || !partitions.insert(partition).second)
      refuse("KafkaOptions::partitions: " + std::to_string(partition) + " is negative or named twice");
  if (options.watch_interval <= std::chrono::milliseconds(0))
    refuse("KafkaOptions::watch_interval must be longer than zero");
}

/// What idem sets unless the user does. Prefetched messages lie in memory outside the runtime's own queue, so
/// they have a part of the budget of their own.
///
/// Before 2.2 librdkafka looks only once a second whether a prefetch queue that was full has room again, so a
/// limit below what is consumed in a second throttles the consumer (10,000 messages: 52k msg/s measured where
/// 131,072 gave 800k). Hence messages are limited by what they cost in memory, not by the runtime's own
/// number of messages. A pause throws the prefetch away, so a single fetch is kept small.
void set_defaults(Properties& properties, const SourceContext& context) {
  constexpr std::size_t cost_per_message = 256;
  std::size_t queue = context.budget_bytes / 16 * 15;  // the rest is for the fetch under way when the queue fills up
  std::size_t messages = std::clamp<std::size_t>(queue / cost_per_message, 1, 10'000'000);
  std::size_t kbytes = std::clamp<std::size_t>(queue / 1024, 1, 2'097'151);
  std::size_t fetch_of_one_partition = std::clamp<std::size_t>(context.budget_bytes / 128, 64 << 10, 1 << 20);
  properties.set("queued.min.messages", std::to_string(messages));
  properties.set("queued.max.messages.kbytes", std::to_string(kbytes));
  properties.set("fetch.message.max.bytes", std::to_string(fetch_of_one_partition));
  // A partition that is resumed waits until the broker has answered a fetch of the idle ones.
  properties.set("fetch.wait.max.ms", "100");
  if (rd_kafka_version() >= 0x020200ff) properties.set("fetch.queue.backoff.ms", "10");
  properties.set("client.id", "idem-" + context.consumer);
  properties.set("auto.offset.reset", "earliest");
  properties.set("enable.auto.commit", "false");
  properties.set("enable.auto.offset.store", "false");
  properties.set("enable.partition.eof", "true");
  properties.set("check.crcs", "true");
  properties.set("partition.assignment.strategy", "range");
}

struct Rule {
  const char* property;
  std::string_view allowed;
  std::string_view why;
};

constexpr Rule rules[] = {
    {"enable.auto.commit", "false",
     "it commits what has only been received; leave it out: idem commits what is durable"},
    {"enable.auto.offset.store", "false",
     "it marks what has only been received as done; leave it out: idem commits what is durable"},
    {"enable.partition.eof", "true",
     "without it the position stays before a trailing transaction marker and nobody knows when the end is "
     "reached"},
    {"offset.store.method", "broker", "offsets must be where the group's other members find them; leave it out"},
};

void refuse_what_breaks_the_promise(const Properties& properties, const SourceContext& context) {
  for (const Rule& rule : rules) {
    std::string value = properties.get(rule.property);
    if (!value.empty() && value != rule.allowed)
      refuse(std::string(rule.property) + "=" + value + " is refused: " + std::string(rule.why));
  }
  if (properties.get("partition.assignment.strategy").find("cooperative") != std::string::npos &&
      rd_kafka_version() < cooperative_works_from)
    refuse("partition.assignment.strategy=cooperative-sticky is refused with librdkafka " +
           std::string(rd_kafka_version_str()) +
           ": before 2.10 it loses assignments when offsets are committed by hand; use range (the default)");
  if (properties.get("group.protocol") == "consumer")
    refuse("group.protocol=consumer is refused: idem has not been proved on it; use classic (the default)");
  long prefetch = properties.number("queued.max.messages.kbytes");
  if (context.budget_bytes > 0 &&
      static_cast<std::size_t>(prefetch) * 1024 > std::max<std::size_t>(context.budget_bytes, 1024))
    refuse("queued.max.messages.kbytes=" + std::to_string(prefetch) + " is more than its share of the runtime's budget, " +
           std::to_string(context.budget_bytes) + " bytes; leave it out or raise the budget");
}

Reset reset_policy(const std::string& value) {
  if (value == "latest" || value == "largest" || value == "end") return Reset::latest;
  if (value == "error") return Reset::error;
  return Reset::earliest;
}

}  // namespace

Configuration configure(const KafkaOptions& options, const SourceContext& context) {
  check_options(options);
  Configuration result;
  result.secrets = secrets_of(options.properties);
  Properties properties("Kafka source", result.secrets);
  set_defaults(properties, context);
  for (const auto& [name, value] : options.properties) properties.set(name, value);
  refuse_what_breaks_the_promise(properties, context);

  result.brokers = properties.get("bootstrap.servers");
  if (result.brokers.empty()) refuse("property bootstrap.servers is missing: name a broker, such as localhost:9092");
  result.group = properties.get("group.id");
  if (result.group.empty())
    refuse("property group.id is missing: offsets are committed to a group, in Mode::fixed too");

  // Every assignment names its offset, so librdkafka resets a position only when the log no longer holds it.
  // "latest" would then skip records in silence; "earliest" is noticed by the offsets that follow.
  result.reset = reset_policy(properties.get("auto.offset.reset"));
  properties.set("auto.offset.reset", "earliest");
  result.conf = properties.take();
  return result;
}

}  // namespace idem::kafka
