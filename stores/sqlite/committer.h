// The thread that commits a group nobody else does: when it is old and the workers are busy with slow handlers.
//
// It costs a busy consumer nothing: a group that fills up is committed by the worker that filled it, and the
// deadline is an atomic, so that this thread is woken at most once a group and takes the turn only when one is due.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace idem::sqlite {

class Committer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `commit_if_due` is called when a deadline has passed, with no lock held.
  explicit Committer(std::function<void()> commit_if_due);
  ~Committer();

  void commit_by(Clock::time_point deadline) noexcept;
  void nothing_open() noexcept { deadline_.store(none, std::memory_order_seq_cst); }

 private:
  static constexpr Clock::rep none = 0;
  void run();
  bool due(Clock::rep deadline) const { return Clock::now().time_since_epoch().count() >= deadline; }

  std::function<void()> commit_if_due_;
  std::atomic<Clock::rep> deadline_{none};
  std::atomic<bool> idle_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace idem::sqlite
