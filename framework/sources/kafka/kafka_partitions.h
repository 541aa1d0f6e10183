// The partitions of the topics: which are held, and how far each has been delivered.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <idem/source.h>

#include "sources/kafka/kafka_handles.h"

namespace idem::kafka {

/// One partition of one topic. Lives as long as the source, across assignments: librdkafka keeps a pause
/// across them too, so what it believes (`is_paused`) must be remembered as long.
struct Slot {
  PartitionRef ref;
  rd_kafka_topic_s* topic = nullptr;
  PartitionHandle handle;
  bool held = false;         ///< from on_assigned until on_revoked or on_lost has returned
  bool read = false;         ///< held, wanted by the runtime and not being revoked
  bool want_paused = false;  ///< what the runtime asked for …
  bool is_paused = false;    ///< … and what librdkafka was told
  bool dropped = false;   ///< records from `next` on were taken from librdkafka and not delivered: to be sought again
  std::int64_t next = 0;  ///< the offset after the last one delivered or found empty
  std::int64_t log_begin = 0;  ///< when assigned
  std::int64_t log_end = 0;    ///< when assigned

  // For the watchdog of partitions that are assigned and yet not fetched.
  bool moved = false;
  std::chrono::steady_clock::time_point quiet_since{};
  int nudges = 0;
};

class Partitions {
 public:
  struct Topic {
    std::string name;
    TopicHandle handle;  ///< keeps the pointer valid that messages carry, so that comparing it names the topic
    std::deque<Slot> slots;
  };

  Topic& add_topic(std::string name, TopicHandle handle, std::int32_t partitions);
  std::deque<Topic>& topics() { return topics_; }

  /// The slot of a message: a comparison of pointers for all but the first message of a topic. nullptr: not
  /// ours.
  Slot* find(rd_kafka_topic_s* topic, std::int32_t partition);
  /// A partition that the topic has got since the start gets its slot here. nullptr: not one of our topics.
  Slot* find(std::string_view topic, std::int32_t partition);
  /// The slot held under this handle; nullptr for a handle of an earlier assignment.
  Slot* find(PartitionHandle handle);

  std::vector<Slot*> held();
  std::vector<PartitionRef> all() const;

 private:
  Slot* at(Topic& topic, std::int32_t partition);
  std::deque<Topic> topics_;  // never moved: slots are pointed to
  Topic* latest_ = nullptr;
};

}  // namespace idem::kafka
