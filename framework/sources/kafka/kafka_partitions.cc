#include "sources/kafka/kafka_partitions.h"

#include <librdkafka/rdkafka.h>

namespace idem::kafka {

Partitions::Topic& Partitions::add_topic(std::string name, TopicHandle handle, std::int32_t partitions) {
  Topic& topic = topics_.emplace_back();
  topic.name = std::move(name);
  topic.handle = std::move(handle);
  if (partitions > 0) at(topic, partitions - 1);
  return topic;
}

Slot* Partitions::at(Topic& topic, std::int32_t partition) {
  if (partition < 0) return nullptr;
  while (topic.slots.size() <= static_cast<std::size_t>(partition)) {
    auto number = static_cast<std::int32_t>(topic.slots.size());
    Slot& slot = topic.slots.emplace_back();
    slot.ref = {topic.name, number};
    slot.topic = topic.handle.get();
  }
  return &topic.slots[static_cast<std::size_t>(partition)];
}

Slot* Partitions::find(rd_kafka_topic_s* handle, std::int32_t partition) {
  if (latest_ && latest_->handle.get() == handle) return at(*latest_, partition);
  for (Topic& topic : topics_) {
    if (topic.handle.get() != handle) continue;
    latest_ = &topic;
    return at(topic, partition);
  }
  // Errors may carry a lightweight handle of their own.
  return handle ? find(std::string_view(rd_kafka_topic_name(handle)), partition) : nullptr;
}

Slot* Partitions::find(std::string_view name, std::int32_t partition) {
  for (Topic& topic : topics_)
    if (topic.name == name) return at(topic, partition);
  return nullptr;
}

Slot* Partitions::find(PartitionHandle handle) {
  for (Topic& topic : topics_)
    for (Slot& slot : topic.slots)
      if (slot.held && slot.handle == handle) return &slot;
  return nullptr;
}

std::vector<Slot*> Partitions::held() {
  std::vector<Slot*> found;
  for (Topic& topic : topics_)
    for (Slot& slot : topic.slots)
      if (slot.held) found.push_back(&slot);
  return found;
}

std::vector<PartitionRef> Partitions::all() const {
  std::vector<PartitionRef> found;
  for (const Topic& topic : topics_)
    for (const Slot& slot : topic.slots) found.push_back(slot.ref);
  return found;
}

}  // namespace idem::kafka
