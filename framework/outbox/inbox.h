// What others tell a carrier's thread: answers of the publisher, commits of the store, and that it is time to stop.
//
// Shared with callbacks that may come when the carrier has long gone. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include <idem/publish_result.h>

namespace idem::outbox {

class Inbox {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Answer {
    std::int64_t number = 0;
    PublishResult::Known known{};
    bool permanent = false;
    std::string why;
  };
  struct News {
    std::vector<Answer> answers;
    bool committed = false, stop = false;
  };

  /// Wakes the thread for so many answers, or for the last one that is awaited, or for one that is not good.
  explicit Inbox(std::size_t batch) : batch_(batch) {}

  // --- anybody
  void answer(Answer answer) {
    std::lock_guard lock(mutex_);
    const bool good = answer.known == PublishResult::Known::stored;
    answers_.push_back(std::move(answer));
    if (awaited_ > 0) --awaited_;
    if (!good || awaited_ == 0 || answers_.size() >= batch_) wake();
  }
  void committed() {
    std::lock_guard lock(mutex_);
    committed_ = true;
    idle_ = false;
    wake();
  }
  void stop() {
    std::lock_guard lock(mutex_);
    stop_ = true;
    wake();
  }
  /// True: the thread has nothing to do any more.
  bool wait_until_idle(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this] { return idle_ || ended_; }) && idle_;
  }

  // --- the thread
  /// An answer more will come. Before the message is sent.
  void await() {
    std::lock_guard lock(mutex_);
    ++awaited_;
  }
  /// Returns at once if there is news, else when there is or at `end`.
  News take(TimePoint end) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, end, [this] { return woken_; });
    woken_ = false;
    return {std::exchange(answers_, {}), std::exchange(committed_, false), stop_};
  }
  void set_idle() {
    std::lock_guard lock(mutex_);
    if (committed_ || !answers_.empty()) return;
    idle_ = true;
    changed_.notify_all();
  }
  /// The thread takes no more news.
  void end() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  void wake() {
    if (std::exchange(woken_, true)) return;
    changed_.notify_all();
  }

  const std::size_t batch_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Answer> answers_;
  std::size_t awaited_ = 0;
  bool committed_ = false, stop_ = false, woken_ = false, idle_ = false, ended_ = false;
};

}  // namespace idem::outbox
