// What a Kafka cluster says of itself, and nothing that was thought about it: asked for in facts.cc, judged in
// judgement.cc, which therefore needs no cluster.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <idem/doctor.h>

namespace idem::doctor {

struct PartitionFacts {
  std::int32_t number = 0;
  int replicas = 0, in_sync = 0;
};

struct TopicFacts {
  std::string name;
  std::string error;  ///< why it is not there; the rest is empty then
  std::vector<PartitionFacts> partitions;
  std::map<std::string, std::string> configuration;
  std::string configuration_error;  ///< why it could not be read

  std::optional<std::string> property(const std::string& property_name) const;
};

struct KafkaFacts {
  std::string bootstrap;
  std::string error;  ///< why the cluster cannot be asked; the rest is empty then
  int brokers = 0;
  std::string cluster_id;             ///< "": not told
  std::vector<TopicFacts> topics;     ///< in the order of the options
  std::optional<TopicFacts> offsets;  ///< __consumer_offsets; it is made at the first commit of any group
};

/// Waits for the cluster as long as the options say. Throws std::invalid_argument for a bad property.
KafkaFacts ask_kafka(const KafkaDoctorOptions& options);

}  // namespace idem::doctor
