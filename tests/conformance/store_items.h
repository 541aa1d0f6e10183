// What tests of a store work with: messages that own their bytes, and a listener that remembers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <idem/store.h>

namespace idem::conformance {

/// Remembers what it was told.
class Settled final : public SettleListener {
 public:
  void on_settled(std::span<const Settlement> settlements) noexcept override {
    std::lock_guard lock(mutex_);
    all_.insert(all_.end(), settlements.begin(), settlements.end());
    changed_.notify_all();
  }

  /// Waits until there are `count`, for ten seconds at most.
  std::vector<Settlement> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return all_.size() >= count; });
    return all_;
  }
  std::vector<Settlement> now() { return wait_for(0); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Settlement> all_;
};

/// A message that owns its bytes, and its record.
struct Item {
  std::string topic, id, key, payload;
  std::vector<Header> headers;
  Message message;
  Record record;

  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  explicit Item(std::string topic_, std::int64_t offset, std::string id_)
      : topic(std::move(topic_)), id(std::move(id_)), payload("payload") {
    message.topic = topic;
    message.offset = offset;
    message.id = id;
    message.payload = payload;
    record.message = &message;
    record.token = next_token++;
    record.from = offset;
    record.time = Timestamp(std::chrono::hours(24 * 365 * 50));
    message.timestamp = record.time;
    if (!id.empty()) record.id = IdKey{std::hash<std::string>{}(id), std::hash<std::string>{}("low " + id)};
    record.fingerprint = 1;
  }

  static inline std::atomic<std::uint64_t> next_token{1};
};

}  // namespace idem::conformance
