// Which handlers run now, and since when: said by the workers, asked by the I/O thread, which names what is overdue and
// tells it to stop, and by whoever wants to know how the runtime is.
//
// A call costs its worker a lock that hardly anybody else wants, at its beginning and at its end, and a look at the clock
// if there is a deadline. Nothing is copied: what a call works on is read under that lock, so never after the call.
//
// Threads: any. Owned by the runtime and the workers together: one that is stuck outlives the runtime.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/delivery.h"

namespace idem::runtime {

class HandlerWatch {
 public:
  class Call;

  /// In which call a worker is.
  struct Worker {
    explicit Worker(const HandlerWatch& w) : watch(w) {}
    const HandlerWatch& watch;
    std::mutex mutex;
    Call* call = nullptr;  // guarded by mutex
  };

  /// `deadline` 0: there is none. `ids_are_names`: what is overdue is logged with its id.
  HandlerWatch(std::chrono::milliseconds deadline, bool ids_are_names)
      : deadline_(deadline), ids_are_names_(ids_are_names) {}

  Worker& add_worker();

  /// Logs each call that has become overdue and requests its stop token, once. Answers when to look again.
  core::Ticks look(core::Ticks now);

  /// Requests the stop tokens of all calls. No further one shall begin; one that does has its token requested.
  void close();
  bool closed() const { return closed_.load(std::memory_order_relaxed); }

  struct Overdue {
    std::size_t calls = 0;
    std::string longest;  ///< the place of the message that has been in its handler for longest, and how long
  };
  Overdue overdue(core::Ticks now);

 private:
  /// Calls end meanwhile, but not the one that is visited.
  template <class Visit>
  void each_call(Visit visit);

  const std::chrono::milliseconds deadline_;
  const bool ids_are_names_;
  std::atomic<bool> closed_{false};
  std::mutex mutex_;            // taken before a worker's
  std::deque<Worker> workers_;  // guarded by mutex_; stable addresses
};

/// One call of a handler, from construction to destruction.
class HandlerWatch::Call {
 public:
  /// `worker` null: nobody watches. `stop` is what the handler can be told by, if it can.
  Call(Worker* worker, core::Delivery& delivery, std::stop_source stop = std::stop_source(std::nostopstate));
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  std::optional<core::Ticks> deadline() const;

 private:
  friend class HandlerWatch;

  Worker* const worker_;
  core::Delivery& delivery_;
  const std::stop_source stop_;
  core::Ticks since_{};    // set if there is a deadline
  bool reported_ = false;  // guarded by the worker's mutex
};

}  // namespace idem::runtime
