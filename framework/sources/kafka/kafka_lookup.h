// What is asked of the brokers before reading, each question under a deadline. All of it blocks, on the I/O
// thread: at the start and during a rebalance there is nothing else to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <idem/source.h>

#include "sources/kafka/kafka_config.h"
#include "sources/kafka/kafka_handles.h"

struct rd_kafka_s;

namespace idem::kafka {

using TimePoint = std::chrono::steady_clock::time_point;
using Deadline = TimePoint;

/// Milliseconds until then; at least one, as librdkafka takes 0 for "now or never".
int remaining(Deadline deadline);

struct GroupOffset {
  PartitionRef partition;
  std::optional<std::int64_t> next;
  std::string metadata;
};

/// Questions to one cluster. Every one throws std::runtime_error that names what was asked for and, when
/// nobody answered, the brokers.
class Lookup {
 public:
  Lookup(rd_kafka_s* client, const Configuration& configuration) : client_(client), configuration_(configuration) {}

  /// How many partitions the topic has; nullopt if the cluster says that there is no such topic.
  std::optional<std::int32_t> partition_count(rd_kafka_topic_s* topic, Deadline deadline) const;

  /// Which of the topics that this client reads do not exist any more.
  std::vector<std::string> missing_topics(Deadline deadline) const;

  /// What the group has committed for each of these, in their order.
  std::vector<GroupOffset> committed(std::span<const PartitionRef> partitions, Deadline deadline) const;

  /// Everything the runtime wants to know before reading these, in their order.
  std::vector<AssignedPartition> describe(std::span<const PartitionRef> partitions, Deadline deadline) const;

  enum class Bound { begin, end };
  /// First offset or next offset to be written, of each. With isolation.level=read_committed (the default)
  /// the end is the last stable offset, which is where such a reader's log ends.
  std::vector<std::int64_t> bounds(std::span<const PartitionRef> partitions, Bound bound, Deadline deadline) const;

 private:
  std::string origin(const std::string& topic, Deadline deadline) const;
  [[noreturn]] void fail(const std::string& what, int error) const;

  rd_kafka_s* client_;
  const Configuration& configuration_;
};

}  // namespace idem::kafka
