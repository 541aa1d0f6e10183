#include "sources/kafka/kafka_watch.h"

#include <algorithm>
#include <exception>

namespace idem::kafka {

using std::chrono::steady_clock;

Watch::Watch(const Lookup& lookup, std::vector<PartitionRef> partitions, std::chrono::milliseconds interval)
    : lookup_(lookup), interval_(interval), partitions_(std::move(partitions)), thread_([this] { run(); }) {}

Watch::~Watch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();  // a question under way lasts a second at most
}

void Watch::look_at(std::vector<PartitionRef> partitions) {
  std::lock_guard lock(mutex_);
  partitions_ = std::move(partitions);
  soon_ = true;
  changed_.notify_all();
}

std::optional<TimePoint> Watch::report(SourceEvents& events) {
  if (!answered_.exchange(false)) return std::nullopt;
  std::vector<GroupOffset> seen;
  TimePoint asked;
  {
    std::lock_guard lock(mutex_);
    seen.swap(seen_);
    asked = asked_;
  }
  for (const GroupOffset& offset : seen)
    if (offset.next) events.on_group_commit(offset.partition, *offset.next, offset.metadata);
  return asked;
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  bool unanswered = false;
  while (true) {
    // After a failure it is this look that finds the brokers back.
    auto pause = unanswered ? std::min<std::chrono::milliseconds>(interval_, std::chrono::milliseconds(500))
                            : interval_;
    changed_.wait_for(lock, pause, [&] { return soon_ || stopping_; });
    if (stopping_) return;
    soon_ = false;
    std::vector<PartitionRef> partitions = partitions_;
    lock.unlock();
    TimePoint asked = steady_clock::now();
    std::vector<GroupOffset> seen;
    try {
      seen = lookup_.committed(partitions, asked + std::chrono::seconds(1));
    } catch (const std::exception&) {
      // This is a look, and the next one comes.
    }
    lock.lock();
    unanswered = seen.empty();
    if (unanswered) continue;
    seen_ = std::move(seen);
    asked_ = asked;
    answered_ = true;
  }
}

}  // namespace idem::kafka
