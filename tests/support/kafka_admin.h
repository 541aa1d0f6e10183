// What an operator does to a Kafka cluster, through librdkafka's admin interface: a few milliseconds a call,
// where Kafka's own command-line tools take a second (kafka_tools.h has those, for an independent view).
//
// Every call waits until the broker has answered and throws std::runtime_error with the broker's words when
// it refused. Any thread may use an admin at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kafka_types.h"
#include "rdkafka_handles.h"

namespace idem::test {

struct GroupMember {
  std::string id;           // chosen by the broker
  std::string instance_id;  // group.instance.id; empty for a dynamic member
  std::string client_id;
  std::vector<TopicPartition> assignment;
};

struct GroupDescription {
  std::string state;  // "Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Dead"
  std::vector<GroupMember> members;
};

class KafkaAdmin {
 public:
  explicit KafkaAdmin(const std::string& bootstrap);

  // Waits until that many brokers are in the cluster; throws when they are not in time.
  void wait_until_ready(std::chrono::milliseconds timeout, int brokers = 1);

  // Returns once every partition has a leader and all its replicas in sync. `config` holds topic properties, such as
  // max.message.bytes.
  void create_topic(const std::string& name, int partitions, const KafkaConfig& config = {}, int replicas = 1);
  void delete_topic(const std::string& name);
  int partition_count(const std::string& topic);

  // Deletes the records below `offset`, as retention would.
  void delete_records(const TopicPartition& partition, std::int64_t offset);

  // Sets or forgets committed offsets of a group that has no active members.
  void set_committed(const std::string& group, const std::map<TopicPartition, CommittedOffset>& offsets);
  void forget_committed(const std::string& group, const std::vector<TopicPartition>& partitions);

  GroupDescription describe_group(const std::string& group);
  void delete_group(const std::string& group);

 private:
  RdKafka<rd_kafka_op_s> call(int operation, const std::string& what, auto&& request);

  RdKafka<rd_kafka_s> client_;
};

}  // namespace idem::test
