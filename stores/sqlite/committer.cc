#include "sqlite/committer.h"

#include <utility>

namespace idem::sqlite {

Committer::Committer(std::function<void()> commit_if_due)
    : commit_if_due_(std::move(commit_if_due)), thread_([this] { run(); }) {}

Committer::~Committer() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Committer::commit_by(Clock::time_point deadline) noexcept {
  deadline_.store(deadline.time_since_epoch().count(), std::memory_order_seq_cst);
  if (!idle_.load(std::memory_order_seq_cst)) return;  // it sleeps until an earlier deadline and will see this one
  std::lock_guard lock(mutex_);
  wake_.notify_one();
}

void Committer::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    idle_.store(true, std::memory_order_seq_cst);
    const Clock::rep deadline = deadline_.load(std::memory_order_seq_cst);
    if (deadline == none) {
      wake_.wait(lock);
      continue;
    }
    idle_.store(false, std::memory_order_seq_cst);
    if (!due(deadline)) {
      wake_.wait_until(lock, Clock::time_point(Clock::duration(deadline)));
      continue;
    }
    lock.unlock();
    commit_if_due_();
    lock.lock();
  }
}

}  // namespace idem::sqlite
