// Looks at what the whole group has committed, again and again, on a thread of its own: librdkafka's question
// blocks for as long as the group has no coordinator. (Its admin interface asks without blocking, but in 2.0
// it aborts the process when the coordinator is lost while a question is under way.)
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <idem/source.h>

#include "sources/kafka/kafka_lookup.h"

namespace idem::kafka {

class Watch {
 public:
  Watch(const Lookup& lookup, std::vector<PartitionRef> partitions, std::chrono::milliseconds interval);
  ~Watch();

  /// Look at these from now on, and at once.
  void look_at(std::vector<PartitionRef> partitions);
  /// Tells what was seen since the last call, and returns when that was asked; nullopt: no answer since.
  std::optional<TimePoint> report(SourceEvents& events);

 private:
  void run();

  const Lookup& lookup_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PartitionRef> partitions_;
  bool soon_ = false;
  bool stopping_ = false;
  std::vector<GroupOffset> seen_;
  TimePoint asked_{};
  std::atomic<bool> answered_{false};
  std::thread thread_;
};

}  // namespace idem::kafka
