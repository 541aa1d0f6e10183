#include "sources/kafka/kafka_watch.h"

#include <librdkafka/rdkafka.h>

#include <string_view>

namespace idem::kafka {
namespace {

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

}  // namespace

Watch::Watch(rd_kafka_t* client, std::string group, std::chrono::milliseconds interval)
    : client_(client), group_(std::move(group)), interval_(interval), answers_(rd_kafka_queue_new(client)) {}

bool Watch::serve(time_point now, std::span<const PartitionRef> partitions, SourceEvents& events) {
  bool heard = false;
  if (asked_)
    while (Event answer{rd_kafka_queue_poll(answers_.get(), 0)}) {
      asked_ = false;
      heard |= report(answer.get(), events);
    }
  if (!asked_ && now >= due_ && !partitions.empty()) {
    ask(partitions);
    asked_ = true;
    due_ = now + interval_;
  }
  return heard;
}

void Watch::ask(std::span<const PartitionRef> partitions) {
  PartitionList list = make_list(partitions.size());
  for (const PartitionRef& ref : partitions)
    rd_kafka_topic_partition_list_add(list.get(), ref.topic.c_str(), ref.partition);
  Owned<rd_kafka_ListConsumerGroupOffsets_t> request(
      rd_kafka_ListConsumerGroupOffsets_new(group_.c_str(), list.get()),
      rd_kafka_ListConsumerGroupOffsets_destroy);
  Owned<rd_kafka_AdminOptions_t> options(
      rd_kafka_AdminOptions_new(client_, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS),
      rd_kafka_AdminOptions_destroy);
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), 5'000, why, sizeof why);
  rd_kafka_ListConsumerGroupOffsets_t* requests[] = {request.get()};
  rd_kafka_ListConsumerGroupOffsets(client_, requests, 1, options.get(), answers_.get());
}

/// Failures are left out: this is a look, and the next one comes.
bool Watch::report(rd_kafka_event_t* answer, SourceEvents& events) const {
  const auto* result = rd_kafka_event_ListConsumerGroupOffsets_result(answer);
  if (!result || rd_kafka_event_error(answer)) return false;
  std::size_t count = 0;
  const rd_kafka_group_result_t** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_topic_partition_list_t* list = rd_kafka_group_result_partitions(groups[i]);
    if (rd_kafka_group_result_error(groups[i]) || !list) return false;
    for (int j = 0; j < list->cnt; ++j) {
      const rd_kafka_topic_partition_t& element = list->elems[j];
      if (element.err || element.offset < 0) continue;
      std::string_view metadata;
      if (element.metadata) metadata = {static_cast<const char*>(element.metadata), element.metadata_size};
      while (metadata.ends_with('\0')) metadata.remove_suffix(1);
      events.on_group_commit({element.topic, element.partition}, element.offset, metadata);
    }
  }
  return true;
}

}  // namespace idem::kafka
