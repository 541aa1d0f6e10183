#include "sqlite/write_turn.h"

#include <chrono>

#include <idem/transaction.h>

namespace idem::sqlite {
namespace {
constexpr std::chrono::milliseconds look_again{1};
}

void WriteTurn::take() {
  if (held_here())
    throw TransactionError("idem: this thread is inside a transaction of the store already (a handler or transact)");
  if (!try_take()) wait();
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

void WriteTurn::wait() {
  std::unique_lock lock(mutex_);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  while (!try_take()) left_.wait_for(lock, look_again);
  waiting_.fetch_sub(1, std::memory_order_relaxed);
}

void WriteTurn::leave(Leave how) noexcept {
  holder_.store(std::thread::id{}, std::memory_order_relaxed);
  taken_.store(false, std::memory_order_seq_cst);
  if (how == Leave::briefly || waiting_.load(std::memory_order_seq_cst) == 0) return;
  std::lock_guard lock(mutex_);  // so that a waiter between its look and its sleep is not missed
  left_.notify_one();
}

bool WriteTurn::held_here() const noexcept {
  return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

}  // namespace idem::sqlite
