// Kafka's own command-line tools, as an independent witness: what they print about a group owes nothing to
// librdkafka. Each call starts a Java process and takes a second or two.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kafka_types.h"

namespace idem::test {

// The directory with Kafka's jars: $IDEM_KAFKA_LIBS, or where tests/parts/fetch-kafka puts them.
std::filesystem::path kafka_libs();

// Why Kafka cannot be started here, nor its tools: no jars or no Java; nullopt when it can.
std::optional<std::string> kafka_missing();

class KafkaTools {
 public:
  explicit KafkaTools(std::string bootstrap) : bootstrap_(std::move(bootstrap)) {}

  // The offsets that the group has committed; empty for an unknown group.
  std::map<TopicPartition, std::int64_t> committed(const std::string& group) const;

  // An operator's reset of a group without members, e.g. reset_offsets("g", "t", {"--to-offset", "5"}) or
  // {"--shift-by", "-10"} or {"--to-earliest"}. `topic` may name partitions: "t:0,1". Returns the new
  // offsets.
  std::map<TopicPartition, std::int64_t> reset_offsets(const std::string& group, const std::string& topic,
                                                       const std::vector<std::string>& target) const;

  // What kafka-consumer-groups prints with the given arguments, after --bootstrap-server. Throws when the
  // tool fails.
  std::string consumer_groups(const std::vector<std::string>& arguments) const;

  // Any tool of Kafka's by its Java class, such as "org.apache.kafka.tools.TopicCommand".
  static std::string run(const std::string& java_class, const std::vector<std::string>& arguments);

 private:
  std::string bootstrap_;
};

}  // namespace idem::test
