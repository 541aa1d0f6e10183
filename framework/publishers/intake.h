// Where callers' threads hand messages to a publisher's own thread, and wait when there is no room.
//
// Room is for everything that has no result yet, sent or not. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "publishers/request.h"

namespace idem::publish {

struct Room {
  std::size_t messages = 0, bytes = 0;
  std::chrono::milliseconds patience{0};  ///< how long put() waits for room
};

template <class Message>
class Intake {
 public:
  using Requests = std::vector<Request<Message>>;

  /// `wake` makes the publisher's thread look here; called from callers' threads.
  Intake(Room room, std::function<void()> wake) : room_(room), wake_(std::move(wake)) {}

  /// Takes all of `requests`, or none and says why. Waits for room unless `at_once`.
  std::optional<std::string> put(Requests& requests, bool at_once) {
    std::size_t bytes = 0;
    for (const auto& request : requests) bytes += request.size;
    std::unique_lock lock(mutex_);
    const auto may_enter = [&] { return closed_ || fits(requests.size(), bytes); };
    if (!at_once) room_made_.wait_for(lock, room_.patience, may_enter);
    if (closed_) return "the publisher is closed";
    if (!may_enter())
      return "no room: " + std::to_string(held_messages_) + " messages of " + std::to_string(held_bytes_) +
             " bytes have no result yet" + (obstacle_.empty() ? "" : "; " + obstacle_);
    held_messages_ += requests.size();
    held_bytes_ += bytes;
    for (auto& request : requests) waiting_.push_back(std::move(request));
    if (std::exchange(idle_, false)) wake_();
    return std::nullopt;
  }

  // --- the publisher's thread
  /// What has come. `will_sleep`: the thread is about to wait for wake().
  Requests take(bool will_sleep = false) {
    std::lock_guard lock(mutex_);
    idle_ = will_sleep && waiting_.empty();
    return std::exchange(waiting_, {});
  }
  void release(std::size_t messages, std::size_t bytes) {
    if (messages == 0) return;
    std::lock_guard lock(mutex_);
    held_messages_ -= messages;
    held_bytes_ -= bytes;
    room_made_.notify_all();
  }
  /// Why nothing moves at the moment, for whoever finds no room; "": it moves.
  void set_obstacle(std::string text) {
    std::lock_guard lock(mutex_);
    obstacle_ = std::move(text);
  }

  // --- closing and flushing
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    room_made_.notify_all();
  }
  /// True: every message taken has its result.
  bool wait_until_empty(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    return room_made_.wait_until(lock, deadline, [&] { return held_messages_ == 0; });
  }

 private:
  // A single batch larger than all of the room is let in when there is nothing else.
  bool fits(std::size_t messages, std::size_t bytes) const {
    return held_messages_ == 0 || (held_messages_ + messages <= room_.messages && held_bytes_ + bytes <= room_.bytes);
  }

  const Room room_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable room_made_;
  Requests waiting_;
  std::size_t held_messages_ = 0, held_bytes_ = 0;
  std::string obstacle_;
  bool idle_ = false, closed_ = false;
};

}  // namespace idem::publish
