// Looks at what the whole group has committed, again and again, without waiting for the answer.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include <idem/source.h>

#include "sources/kafka/kafka_handles.h"

struct rd_kafka_s;

namespace idem::kafka {

class Watch {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  Watch(rd_kafka_s* client, std::string group, std::chrono::milliseconds interval);

  /// Asks about these partitions if it is time to, and tells what has been answered since the last call.
  /// True if the group's coordinator answered.
  bool serve(time_point now, std::span<const PartitionRef> partitions, SourceEvents& events);
  /// Ask at the next call already.
  void soon() { due_ = {}; }
  time_point due() const { return due_; }

 private:
  void ask(std::span<const PartitionRef> partitions);
  bool report(rd_kafka_op_s* answer, SourceEvents& events) const;

  rd_kafka_s* client_;
  std::string group_;
  std::chrono::milliseconds interval_;
  Queue answers_;
  bool asked_ = false;
  time_point due_{};
};

}  // namespace idem::kafka
