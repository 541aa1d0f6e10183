#include "sources/kafka/kafka_watch.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace idem::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds patience{1};

}  // namespace

Watch::Watch(const Lookup& lookup, std::vector<PartitionRef> partitions, milliseconds interval)
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
  if (!news_.exchange(false)) return std::nullopt;
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

std::vector<std::string> Watch::take_missing() {
  if (!any_missing_.exchange(false)) return {};
  std::lock_guard lock(mutex_);
  return std::exchange(missing_, {});
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    // After a failure it is this look that finds the brokers back.
    auto pause = unanswered_ ? std::min(interval_, milliseconds(500)) : interval_;
    changed_.wait_for(lock, pause, [&] { return soon_ || stopping_; });
    if (stopping_) return;
    soon_ = false;
    std::vector<PartitionRef> partitions = partitions_;
    lock.unlock();
    try {
      look_at_topics();
      look_at_group(partitions);
      unanswered_ = false;
    } catch (const std::exception&) {
      unanswered_ = true;  // this is a look, and the next one comes
    }
    lock.lock();
  }
}

void Watch::look_at_topics() {
  std::vector<std::string> missing = lookup_.missing_topics(steady_clock::now() + patience);
  std::vector<std::string> twice;
  for (const std::string& topic : missing)
    if (std::count(missing_before_.begin(), missing_before_.end(), topic) > 0) twice.push_back(topic);
  missing_before_ = std::move(missing);
  if (twice.empty()) return;
  std::lock_guard lock(mutex_);
  missing_ = std::move(twice);
  any_missing_ = true;
}

void Watch::look_at_group(const std::vector<PartitionRef>& partitions) {
  TimePoint asked = steady_clock::now();
  std::vector<GroupOffset> seen = lookup_.committed(partitions, asked + patience);
  std::lock_guard lock(mutex_);
  seen_ = std::move(seen);
  asked_ = asked;
  news_ = true;
}

}  // namespace idem::kafka
