#include "sources/kafka/kafka_lookup.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <thread>

namespace idem::kafka {
namespace {

using std::chrono::steady_clock;
/// A controller that does not answer must not hold a start up: the topic's id is then not known.
constexpr std::chrono::seconds topic_id_patience{5};

/// Answers that only mean "not yet": a coordinator or leader is being elected, a connection is being made.
bool worth_repeating(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
      return true;
    default:
      return false;
  }
}

/// Asks until there is an answer other than "not yet" or the time is up.
template <typename Ask>
rd_kafka_resp_err_t ask(Deadline deadline, Ask question) {
  while (true) {
    rd_kafka_resp_err_t error = question(remaining(deadline));
    if (!worth_repeating(error) || steady_clock::now() >= deadline) return error;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

PartitionList list_of(std::span<const PartitionRef> partitions) {
  PartitionList list = make_list(partitions.size());
  for (const PartitionRef& ref : partitions)
    rd_kafka_topic_partition_list_add(list.get(), ref.topic.c_str(), ref.partition);
  return list;
}

/// The first error among the elements, "not yet" last.
rd_kafka_resp_err_t worst_of(const rd_kafka_topic_partition_list_t& list) {
  rd_kafka_resp_err_t worst = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (int i = 0; i < list.cnt; ++i) {
    rd_kafka_resp_err_t error = list.elems[i].err;
    if (error && (!worst || worth_repeating(worst))) worst = error;
  }
  return worst;
}

#if RD_KAFKA_VERSION >= 0x020300ff
/// The admin interface asks the controller. One that is not there (none elected; or the mock cluster's, which
/// names none of its brokers) it waits for until the deadline, and starting would take as long.
bool has_controller(rd_kafka_t* client, Deadline deadline) {
  const rd_kafka_metadata_t* answer = nullptr;
  if (rd_kafka_metadata(client, /*all_topics=*/0, nullptr, &answer, remaining(deadline))) return false;
  const Metadata metadata(answer);
  const std::int32_t controller = rd_kafka_controllerid(client, remaining(deadline));
  return std::any_of(metadata->brokers, metadata->brokers + metadata->broker_cnt,
                     [controller](const auto& broker) { return broker.id == controller; });
}

/// The id that a topic gets when it is created; "" if the broker does not tell.
std::string topic_id(rd_kafka_t* client, const std::string& topic, Deadline deadline) {
  if (!has_controller(client, deadline)) return "";
  Queue queue(rd_kafka_queue_new(client));
  const AdminOptions options(rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS));
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), remaining(deadline), why, sizeof why);
  const char* name = topic.c_str();
  std::unique_ptr<rd_kafka_TopicCollection_t, void (*)(rd_kafka_TopicCollection_t*)> topics(
      rd_kafka_TopicCollection_of_topic_names(&name, 1), rd_kafka_TopicCollection_destroy);
  rd_kafka_DescribeTopics(client, topics.get(), options.get(), queue.get());
  Event event(rd_kafka_queue_poll(queue.get(), remaining(deadline)));
  if (!event || rd_kafka_event_error(event.get())) return "";
  std::size_t count = 0;
  const rd_kafka_TopicDescription_t** found =
      rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event.get()), &count);
  if (count != 1 || rd_kafka_error_code(rd_kafka_TopicDescription_error(found[0]))) return "";
  const rd_kafka_Uuid_t* id = rd_kafka_TopicDescription_topic_id(found[0]);
  if (!id || (rd_kafka_Uuid_most_significant_bits(id) == 0 && rd_kafka_Uuid_least_significant_bits(id) == 0)) return "";
  const char* printed = rd_kafka_Uuid_base64str(id);
  return printed ? printed : "";
}
#else
std::string topic_id(rd_kafka_t*, const std::string&, Deadline) { return ""; }
#endif

}  // namespace

int remaining(Deadline deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 1, 3'600'000));
}

void Lookup::fail(const std::string& what, int error) const {
  auto code = static_cast<rd_kafka_resp_err_t>(error);
  std::string text = "Kafka source: " + what + ": " + rd_kafka_err2str(code);
  if (worth_repeating(code)) text += " (brokers: " + configuration_.brokers + ")";
  throw std::runtime_error(redact(std::move(text), configuration_.secrets));
}

std::optional<std::int32_t> Lookup::partition_count(rd_kafka_topic_t* topic, Deadline deadline) const {
  std::int32_t count = 0;
  rd_kafka_resp_err_t error = ask(deadline, [&](int timeout) {
    const rd_kafka_metadata_t* answer = nullptr;
    if (auto failed = rd_kafka_metadata(client_, /*all_topics=*/0, topic, &answer, timeout)) return failed;
    const Metadata metadata(answer);
    if (metadata->topic_cnt != 1) return RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    count = metadata->topics[0].partition_cnt;
    return metadata->topics[0].err;
  });
  if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    return std::nullopt;
  if (error) fail("cannot look up topic \"" + std::string(rd_kafka_topic_name(topic)) + "\"", error);
  return count;
}

std::vector<std::string> Lookup::missing_topics(Deadline deadline) const {
  std::vector<std::string> missing;
  rd_kafka_resp_err_t error = ask(deadline, [&](int timeout) {
    const rd_kafka_metadata_t* answer = nullptr;
    // No topic named and not all of them: those that this client knows.
    if (auto failed = rd_kafka_metadata(client_, /*all_topics=*/0, nullptr, &answer, timeout)) return failed;
    const Metadata metadata(answer);
    for (int i = 0; i < metadata->topic_cnt; ++i)
      if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        missing.push_back(metadata->topics[i].topic);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  if (error) fail("cannot look up the topics", error);
  return missing;
}

std::vector<GroupOffset> Lookup::committed(std::span<const PartitionRef> partitions, Deadline deadline) const {
  PartitionList list = list_of(partitions);
  rd_kafka_resp_err_t error = ask(deadline, [&](int timeout) {
    auto failed = rd_kafka_committed(client_, list.get(), timeout);
    return failed ? failed : worst_of(*list);
  });
  if (error) fail("cannot read what group \"" + configuration_.group + "\" has committed", error);

  std::vector<GroupOffset> found;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    GroupOffset& offset = found.emplace_back(GroupOffset{partitions[static_cast<std::size_t>(i)], std::nullopt, ""});
    if (element.offset < 0) continue;
    offset.next = element.offset;
    if (element.metadata) offset.metadata.assign(static_cast<const char*>(element.metadata), element.metadata_size);
    // What other clients wrote may count its closing NUL in.
    while (!offset.metadata.empty() && offset.metadata.back() == '\0') offset.metadata.pop_back();
  }
  return found;
}

std::vector<std::int64_t> Lookup::bounds(std::span<const PartitionRef> partitions, Bound bound,
                                         Deadline deadline) const {
  // One request per broker for all of them. In place of a time the protocol takes the two logical offsets.
  PartitionList list;
  rd_kafka_resp_err_t error = ask(deadline, [&](int timeout) {
    list = list_of(partitions);
    for (int i = 0; i < list->cnt; ++i)
      list->elems[i].offset = bound == Bound::begin ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    auto failed = rd_kafka_offsets_for_times(client_, list.get(), timeout);
    return failed ? failed : worst_of(*list);
  });
  if (error) fail("cannot look up where the log of \"" + partitions.front().topic + "\" begins and ends", error);
  std::vector<std::int64_t> found;
  for (int i = 0; i < list->cnt; ++i) found.push_back(list->elems[i].offset);
  return found;
}

std::string Lookup::origin(const std::string& topic, Deadline deadline) const {
  std::string origin;
  if (char* id = rd_kafka_clusterid(client_, remaining(deadline))) {
    origin = std::string("cluster=") + id;
    rd_kafka_mem_free(client_, id);
  }
  const Deadline id_deadline = std::min(deadline, steady_clock::now() + topic_id_patience);
  if (std::string id = topic_id(client_, topic, id_deadline); !id.empty())
    origin += (origin.empty() ? "topic=" : " topic=") + id;
  return origin;
}

std::vector<AssignedPartition> Lookup::describe(std::span<const PartitionRef> partitions, Deadline deadline) const {
  if (partitions.empty()) return {};
  std::vector<GroupOffset> offsets = committed(partitions, deadline);
  std::vector<std::int64_t> begins = bounds(partitions, Bound::begin, deadline);
  std::vector<std::int64_t> ends = bounds(partitions, Bound::end, deadline);
  std::map<std::string, std::string> origins;
  std::vector<AssignedPartition> described;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const std::string& topic = partitions[i].topic;
    if (!origins.contains(topic)) origins[topic] = origin(topic, deadline);
    if (!offsets[i].next && configuration_.reset == Reset::error)
      throw std::runtime_error("Kafka source: auto.offset.reset=error, and group \"" + configuration_.group +
                               "\" has committed nothing for " + to_string(partitions[i]));
    described.push_back({.partition = partitions[i],
                         .committed = offsets[i].next,
                         .metadata = std::move(offsets[i].metadata),
                         .log_begin = begins[i],
                         .log_end = ends[i],
                         .initial = configuration_.reset == Reset::latest ? ends[i] : begins[i],
                         .origin = origins[topic]});
  }
  return described;
}

}  // namespace idem::kafka
