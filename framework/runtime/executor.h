// The seam between the I/O thread and whoever runs handlers: a pool of threads, or a simulator.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include "core/delivery.h"

namespace idem::runtime {

/// What comes back to the I/O thread. One of the three.
struct WorkerEvent {
  core::Completion completion;               ///< if delivery is set
  core::Batch* batch = nullptr;              ///< the worker is through with it, after all its other events …
  std::chrono::nanoseconds took{0};          ///< … and needed this long
  std::uint64_t skip_token = 0;              ///< a Ledger::skip has settled …
  bool skip_durable = false;                 ///< … like this
};

/// Tokens of a settlement: the delivery's address, or an odd number for a skip.
inline WorkerEvent to_event(const Settlement& settlement) {
  WorkerEvent event;
  if (settlement.token & 1) {
    event.skip_token = settlement.token;
    event.skip_durable = settlement.durable;
  } else {
    event.completion.delivery = reinterpret_cast<core::Delivery*>(settlement.token);
    event.completion.kind = settlement.durable ? core::Completion::Kind::durable : core::Completion::Kind::not_applied;
  }
  return event;
}

class Executor {
 public:
  /// Hands a batch to a worker. Never waits.
  virtual void submit(core::Batch* batch) = 0;
  /// Takes what has come back, up to events.size(); never waits. Returns how many.
  virtual std::size_t collect(std::span<WorkerEvent> events) = 0;
  /// Waits until something has come back, at most `longest`.
  virtual void wait(std::chrono::milliseconds longest) = 0;
  /// Around a wait elsewhere (in Source::poll): with `waiting` true whatever comes back wakes the source. Answers
  /// whether something is there already.
  virtual bool set_waiting(bool waiting) = 0;
  /// Where the store reports to.
  virtual SettleListener& listener() = 0;
  /// Why the workers cannot go on; empty while they can. A store that is gone ends the run.
  virtual std::string failure() = 0;

 protected:
  ~Executor() = default;
};

}  // namespace idem::runtime
