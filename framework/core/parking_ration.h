// How many messages may be parked for attempts used up: an allowance that successes earn again, so that what is half dead
// does not empty a topic into the parking lot.
//
// Threads: workers ask held() and take() when they are about to park; everything else is the core's.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include <idem/circuit_breaker.h>

#include "core/delivery.h"
#include "core/mutant.h"

namespace idem::core {

class ParkingRation {
 public:
  explicit ParkingRation(const CircuitBreaker& options)
      : rationed_(options.enabled),
        interval_(options.parking_interval),
        price_(options.successes_per_parking),
        most_(std::int64_t{options.parking_allowance} * price_),
        left_(most_) {}

  // --- Workers ------------------------------------------------------------------------------------------------------
  /// Nothing may be parked for attempts used up now, whatever was taken before.
  bool held() const { return held_.load(std::memory_order_acquire); }
  /// Permission to park one message. False: none is left.
  bool take() {
    if (!rationed_ || mutated(Mutant::ration_overspent)) return true;
    std::int64_t left = left_.load(std::memory_order_relaxed);
    while (left >= price_)
      if (left_.compare_exchange_weak(left, left - price_, std::memory_order_relaxed)) return true;
    return false;
  }

  // --- The core ------------------------------------------------------------------------------------------------------
  void hold(bool held) { held_.store(held, std::memory_order_release); }
  /// The message was not parked after all.
  void give_back() {
    if (rationed_) left_.fetch_add(price_, std::memory_order_relaxed);
  }
  void succeeded() {
    if (left_.load(std::memory_order_relaxed) < most_) left_.fetch_add(1, std::memory_order_relaxed);
  }
  bool used_up() const { return left_.load(std::memory_order_relaxed) < price_; }
  /// With none left for `interval`, one is granted.
  void tick(Ticks now) {
    if (!used_up() || held()) {
      granted_at_.reset();
    } else if (!granted_at_) {
      granted_at_ = now + interval_;
    } else if (now >= *granted_at_) {
      left_.fetch_add(price_, std::memory_order_relaxed);
      granted_at_.reset();
    }
  }

 private:
  const bool rationed_;
  const std::chrono::milliseconds interval_;
  const std::int64_t price_, most_;  // in successes
  std::atomic<std::int64_t> left_;
  std::atomic<bool> held_{false};
  std::optional<Ticks> granted_at_;
};

}  // namespace idem::core
