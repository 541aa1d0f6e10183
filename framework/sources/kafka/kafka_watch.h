// Looks, again and again, at what the whole group has committed and whether the topics are still there:
// partitions that were assigned by hand just fall silent when their topic is deleted.
//
// On a thread of its own, as librdkafka's question blocks for as long as the group has no coordinator. (Its
// admin interface asks without blocking, but in 2.0 it aborts the process when the coordinator is lost while
// a question is under way.)
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
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

  /// Topics that were missing two times in a row: a broker that has just restarted may not know them all yet.
  std::vector<std::string> take_missing();

 private:
  void run();
  void look_at_group(const std::vector<PartitionRef>& partitions);
  void look_at_topics();

  const Lookup& lookup_;
  const std::chrono::milliseconds interval_;

  std::mutex mutex_;  // over what both threads use
  std::condition_variable changed_;
  std::vector<PartitionRef> partitions_;
  bool soon_ = false;
  bool stopping_ = false;
  std::vector<GroupOffset> seen_;
  TimePoint asked_{};
  std::vector<std::string> missing_;
  std::atomic<bool> news_{false};  // so that nobody takes the mutex for nothing
  std::atomic<bool> any_missing_{false};

  std::vector<std::string> missing_before_;  // the thread's own
  bool unanswered_ = false;                  // the thread's own
  std::thread thread_;
};

}  // namespace idem::kafka
