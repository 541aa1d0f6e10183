// The write turn: at any time one thread works on the connection. Everything of the store but the delivery of
// settlements is guarded by it.
//
// Unfair on purpose: a worker in the middle of a run takes it again and again, which fills the group and spares a
// context switch per message. A waiter sleeps, and is woken when the holder expects to be away for longer; it also
// looks by itself every millisecond, so that an expectation that was wrong costs no more than that.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace idem::sqlite {

class WriteTurn {
 public:
  enum class Leave {
    for_good,  ///< wake a waiter
    briefly,   ///< back within microseconds: let the waiters sleep
  };

  /// Throws TransactionError when this thread has it already: waiting would be for ever.
  void take();
  void leave(Leave how) noexcept;
  bool held_here() const noexcept;

 private:
  bool try_take() noexcept { return !taken_.exchange(true, std::memory_order_seq_cst); }
  void wait();

  std::atomic<bool> taken_{false};
  std::atomic<std::thread::id> holder_{};
  std::atomic<int> waiting_{0};
  std::mutex mutex_;
  std::condition_variable left_;
};

}  // namespace idem::sqlite
