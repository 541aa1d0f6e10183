// Whether the messages of a source fail because of something they all need: a circuit breaker.
//
// Closed, it counts. Open, nothing may be handed to a worker. Half open, one probe at a time may. Pure: outcomes and times
// go in, the state comes out; the core has one and asks it before it dispatches.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <idem/circuit_breaker.h>

#include "core/delivery.h"

namespace idem::core {

/// Something about a breaker that a person should know of.
struct BreakerChange {
  enum class Kind : std::uint8_t { opened, probe_failed, probe_overdue, closed };
  Kind kind = Kind::opened;
  std::chrono::milliseconds pause{0};  ///< until the next probe, if it is not closed
};

class Breaker {
 public:
  explicit Breaker(const CircuitBreaker& options) : options_(options), pause_(options.first_pause) {}

  enum class State : std::uint8_t { closed, open, half_open };
  State state() const { return state_; }

  // --- While closed: what messages ended in. Afterwards it means nothing ------------------------------------------
  void succeeded(Ticks now) {
    if (state_ != State::closed || !options_.enabled) return;
    if (now >= slot_end_) begin_slot(now);
    ++slot().succeeded;
  }
  /// `counted`: when a failure of the message was last counted; kept with the message.
  void failed(Ticks now, std::optional<Ticks>& counted);

  // --- Half open: one probe at a time -------------------------------------------------------------------------------
  void probe_sent(Ticks now);
  /// No worker has it any more; it has an answer or none.
  void probe_back();
  /// Of whichever probe: one that had been given up may still succeed.
  void probe_succeeded(Ticks now);
  void probe_failed(Ticks now);
  /// Whether the probe that is out should have come back by now. Then it has failed.
  bool give_probe_up(Ticks now);

  /// Open and the pause is over: half open.
  void tick(Ticks now);
  /// When tick() or give_probe_up() has something to do next; nullopt: never.
  std::optional<Ticks> next_due() const;

  struct Window {
    std::uint64_t failed = 0, tried = 0;
  };
  /// What opened it the last time.
  Window opened_by() const { return opened_by_; }
  /// How often it has.
  std::uint64_t opened() const { return opened_; }
  std::uint64_t closed() const { return closed_; }
  std::vector<BreakerChange> take_changes();

 private:
  struct Slot {
    std::uint64_t succeeded = 0, failed = 0;
  };
  Slot& slot() { return slots_[at_]; }
  void begin_slot(Ticks now);
  Window window() const;
  void open(BreakerChange::Kind why, Ticks now);
  void close(Ticks now);

  const CircuitBreaker options_;
  State state_ = State::closed;

  // The window is the present slot and those before it.
  std::array<Slot, 10> slots_{};
  std::size_t at_ = 0;
  Ticks slot_end_{};
  Ticks counting_since_{};
  Window opened_by_;

  std::chrono::milliseconds pause_;  // the present one while open, the next one while half open
  Ticks until_ = Ticks::max();       // open: the pause; half open: what a probe may take
  int successes_ = 0;                // of probes, one after the other
  std::uint64_t opened_ = 0, closed_ = 0;
  std::vector<BreakerChange> changes_;
};

}  // namespace idem::core
