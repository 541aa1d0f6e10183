#include "kafka_admin.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <thread>

namespace idem::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds answer_timeout = seconds(30);

RdKafka<const rd_kafka_metadata_t> metadata(rd_kafka_t* client, milliseconds timeout) {
  const rd_kafka_metadata_t* answer = nullptr;
  check(rd_kafka_metadata(client, /*all_topics=*/1, nullptr, &answer, static_cast<int>(timeout.count())),
        "metadata");
  return RdKafka<const rd_kafka_metadata_t>(answer);
}

// How many partitions of the topic have a leader and all replicas in sync; 0 for an unknown topic.
int led_partitions(rd_kafka_t* client, const std::string& topic) {
  auto answer = metadata(client, answer_timeout);
  for (const auto& candidate : std::span(answer->topics, answer->topic_cnt)) {
    if (candidate.topic != topic || candidate.err) continue;
    int led = 0;
    for (const auto& partition : std::span(candidate.partitions, candidate.partition_cnt)) {
      if (!partition.err && partition.leader >= 0 && partition.isr_cnt == partition.replica_cnt) ++led;
    }
    return led;
  }
  return 0;
}

void wait_for_partitions(rd_kafka_t* client, const std::string& topic, int wanted) {
  const auto deadline = Clock::now() + answer_timeout;
  while (led_partitions(client, topic) != wanted) {
    if (Clock::now() > deadline) throw std::runtime_error("the broker's metadata of " + topic + " stays old");
    std::this_thread::sleep_for(milliseconds(10));
  }
}

void check_topic_result(const rd_kafka_topic_result_t** results, size_t count, const std::string& what) {
  for (const auto* result : std::span(results, count)) {
    if (rd_kafka_topic_result_error(result) == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* words = rd_kafka_topic_result_error_string(result);
    throw std::runtime_error(what + ": " + (words ? words : "refused"));
  }
}

// For requests whose answer is one result per group, with an error of its own and partitions with theirs.
void check_group_result(const rd_kafka_group_result_t** results, size_t count, const std::string& what) {
  for (const auto* result : std::span(results, count)) {
    if (const rd_kafka_error_t* error = rd_kafka_group_result_error(result)) {
      throw std::runtime_error(what + ": " + rd_kafka_error_string(error));
    }
    const auto* partitions = rd_kafka_group_result_partitions(result);
    if (!partitions) continue;
    for (const auto& partition : std::span(partitions->elems, partitions->cnt)) check(partition.err, what);
  }
}

RdKafka<rd_kafka_topic_partition_list_t> new_list(size_t size) {
  return RdKafka<rd_kafka_topic_partition_list_t>(rd_kafka_topic_partition_list_new(static_cast<int>(size)));
}

std::string or_empty(const char* text) { return text ? text : ""; }

GroupMember describe(const rd_kafka_MemberDescription_t* member) {
  GroupMember result{.id = or_empty(rd_kafka_MemberDescription_consumer_id(member)),
                     .instance_id = or_empty(rd_kafka_MemberDescription_group_instance_id(member)),
                     .client_id = or_empty(rd_kafka_MemberDescription_client_id(member)),
                     .assignment = {}};
  const auto* assignment = rd_kafka_MemberDescription_assignment(member);
  const auto* partitions = assignment ? rd_kafka_MemberAssignment_partitions(assignment) : nullptr;
  if (!partitions) return result;
  for (const auto& partition : std::span(partitions->elems, partitions->cnt)) {
    result.assignment.push_back({partition.topic, partition.partition});
  }
  return result;
}

}  // namespace

KafkaAdmin::KafkaAdmin(const std::string& bootstrap)
    : client_(make_client(KafkaRole::producer, bootstrap, {{"client.id", "idem-test-admin"}})) {}

// Sends what `request(options, queue)` sends and waits for the one event that answers it.
RdKafka<rd_kafka_op_s> KafkaAdmin::call(int operation, const std::string& what, auto&& request) {
  RdKafka<rd_kafka_AdminOptions_s> options(
      rd_kafka_AdminOptions_new(client_.get(), static_cast<rd_kafka_admin_op_t>(operation)));
  char why[256];
  const int timeout = static_cast<int>(answer_timeout.count());
  check(rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout, why, sizeof why), what);
  RdKafka<rd_kafka_queue_s> queue(rd_kafka_queue_new(client_.get()));
  request(options.get(), queue.get());
  RdKafka<rd_kafka_op_s> event(rd_kafka_queue_poll(queue.get(), timeout + 5000));
  if (!event) throw std::runtime_error(what + ": no answer");
  if (rd_kafka_event_error(event.get())) {
    throw std::runtime_error(what + ": " + rd_kafka_event_error_string(event.get()));
  }
  return event;
}

void KafkaAdmin::wait_until_ready(milliseconds timeout, int brokers) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    try {
      if (metadata(client_.get(), std::min<milliseconds>(timeout, seconds(1)))->broker_cnt >= brokers) return;
    } catch (const std::runtime_error&) {
      if (Clock::now() > deadline) throw;
    }
    if (Clock::now() > deadline) throw std::runtime_error("too few brokers in the cluster's metadata");
    std::this_thread::sleep_for(milliseconds(20));
  }
}

void KafkaAdmin::create_topic(const std::string& name, int partitions, const KafkaConfig& config, int replicas) {
  const std::string what = "create topic " + name;
  char why[256];
  std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> topic(
      rd_kafka_NewTopic_new(name.c_str(), partitions, replicas, why, sizeof why),
      rd_kafka_NewTopic_destroy);
  if (!topic) throw std::runtime_error(what + ": " + why);
  for (const auto& [property, value] : config) {
    check(rd_kafka_NewTopic_set_config(topic.get(), property.c_str(), value.c_str()), what);
  }
  auto event = call(RD_KAFKA_ADMIN_OP_CREATETOPICS, what, [&](auto* options, auto* queue) {
    rd_kafka_NewTopic_t* topics[] = {topic.get()};
    rd_kafka_CreateTopics(client_.get(), topics, 1, options, queue);
  });
  size_t count = 0;
  const auto** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  check_topic_result(results, count, what);
  wait_for_partitions(client_.get(), name, partitions);
}

void KafkaAdmin::delete_topic(const std::string& name) {
  const std::string what = "delete topic " + name;
  std::unique_ptr<rd_kafka_DeleteTopic_t, decltype(&rd_kafka_DeleteTopic_destroy)> topic(
      rd_kafka_DeleteTopic_new(name.c_str()), rd_kafka_DeleteTopic_destroy);
  auto event = call(RD_KAFKA_ADMIN_OP_DELETETOPICS, what, [&](auto* options, auto* queue) {
    rd_kafka_DeleteTopic_t* topics[] = {topic.get()};
    rd_kafka_DeleteTopics(client_.get(), topics, 1, options, queue);
  });
  size_t count = 0;
  const auto** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  check_topic_result(results, count, what);
  wait_for_partitions(client_.get(), name, 0);
}

int KafkaAdmin::partition_count(const std::string& topic) { return led_partitions(client_.get(), topic); }

void KafkaAdmin::delete_records(const TopicPartition& partition, std::int64_t offset) {
  const std::string what = "delete records of " + partition.topic;
  auto list = new_list(1);
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset =
      offset;
  std::unique_ptr<rd_kafka_DeleteRecords_t, decltype(&rd_kafka_DeleteRecords_destroy)> records(
      rd_kafka_DeleteRecords_new(list.get()), rd_kafka_DeleteRecords_destroy);
  auto event = call(RD_KAFKA_ADMIN_OP_DELETERECORDS, what, [&](auto* options, auto* queue) {
    rd_kafka_DeleteRecords_t* requests[] = {records.get()};
    rd_kafka_DeleteRecords(client_.get(), requests, 1, options, queue);
  });
  const auto* result =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  for (const auto& entry : std::span(result->elems, result->cnt)) check(entry.err, what);
}

void KafkaAdmin::set_committed(const std::string& group,
                               const std::map<TopicPartition, CommittedOffset>& offsets) {
  const std::string what = "set offsets of group " + group;
  auto list = new_list(offsets.size());
  for (const auto& [partition, committed] : offsets) {
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
    entry->offset = committed.offset;
    if (committed.metadata.empty()) continue;
    entry->metadata = strdup(committed.metadata.c_str());  // the list frees it
    entry->metadata_size = committed.metadata.size();
  }
  std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t, decltype(&rd_kafka_AlterConsumerGroupOffsets_destroy)>
      request(rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list.get()),
              rd_kafka_AlterConsumerGroupOffsets_destroy);
  auto event = call(RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, what, [&](auto* options, auto* queue) {
    rd_kafka_AlterConsumerGroupOffsets_t* requests[] = {request.get()};
    rd_kafka_AlterConsumerGroupOffsets(client_.get(), requests, 1, options, queue);
  });
  size_t count = 0;
  const auto** results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(event.get()), &count);
  check_group_result(results, count, what);
}

void KafkaAdmin::forget_committed(const std::string& group, const std::vector<TopicPartition>& partitions) {
  const std::string what = "forget offsets of group " + group;
  auto list = new_list(partitions.size());
  for (const auto& [topic, partition] : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  }
  std::unique_ptr<rd_kafka_DeleteConsumerGroupOffsets_t,
                  decltype(&rd_kafka_DeleteConsumerGroupOffsets_destroy)>
      request(rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list.get()),
              rd_kafka_DeleteConsumerGroupOffsets_destroy);
  auto event = call(RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, what, [&](auto* options, auto* queue) {
    rd_kafka_DeleteConsumerGroupOffsets_t* requests[] = {request.get()};
    rd_kafka_DeleteConsumerGroupOffsets(client_.get(), requests, 1, options, queue);
  });
  size_t count = 0;
  const auto** results = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
      rd_kafka_event_DeleteConsumerGroupOffsets_result(event.get()), &count);
  check_group_result(results, count, what);
}

GroupDescription KafkaAdmin::describe_group(const std::string& group) {
  const std::string what = "describe group " + group;
  auto event = call(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, what, [&](auto* options, auto* queue) {
    const char* groups[] = {group.c_str()};
    rd_kafka_DescribeConsumerGroups(client_.get(), groups, 1, options, queue);
  });
  size_t count = 0;
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
  if (count != 1) throw std::runtime_error(what + ": not one group in the answer");
  if (const rd_kafka_error_t* error = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    throw std::runtime_error(what + ": " + rd_kafka_error_string(error));
  }
  GroupDescription result{
      .state = rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(groups[0])),
      .members = {}};
  for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); ++i) {
    result.members.push_back(describe(rd_kafka_ConsumerGroupDescription_member(groups[0], i)));
  }
  return result;
}

void KafkaAdmin::delete_group(const std::string& group) {
  const std::string what = "delete group " + group;
  std::unique_ptr<rd_kafka_DeleteGroup_t, decltype(&rd_kafka_DeleteGroup_destroy)> request(
      rd_kafka_DeleteGroup_new(group.c_str()), rd_kafka_DeleteGroup_destroy);
  auto event = call(RD_KAFKA_ADMIN_OP_DELETEGROUPS, what, [&](auto* options, auto* queue) {
    rd_kafka_DeleteGroup_t* requests[] = {request.get()};
    rd_kafka_DeleteGroups(client_.get(), requests, 1, options, queue);
  });
  size_t count = 0;
  const auto** results =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event.get()), &count);
  check_group_result(results, count, what);
}

}  // namespace idem::test
