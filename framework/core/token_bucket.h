// How many messages may be handed out by now, for a rate limit.
//
// The bucket is known by one time: when it will be full again if nothing is taken. So there are no fractions of tokens and
// no sum of rounding errors. The time is an argument: tick() with it first.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include <idem/runtime.h>

#include "core/delivery.h"

namespace idem::core {

class TokenBucket {
 public:
  explicit TokenBucket(const RateLimit& limit) {
    if (limit.messages_per_second <= 0) return;
    each_ = std::chrono::nanoseconds(std::llround(1e9 / limit.messages_per_second));
    // The I/O thread sleeps in milliseconds: a smaller bucket would lose what overflows before it has woken up.
    slack_ = std::max<std::chrono::nanoseconds>(each_ * (limit.burst - 1), std::chrono::milliseconds(10));
  }

  bool limits() const { return each_ > each_.zero(); }
  void tick(Ticks now) { now_ = now; }
  bool empty() const { return limits() && next() > now_; }
  /// One token. Only if it is not empty.
  void take() {
    if (limits()) full_ = std::max(full_, now_) + each_;
  }
  /// When there is, or has been, the next token.
  Ticks next() const { return full_ - slack_; }

 private:
  std::chrono::nanoseconds each_{0};   // from one token to the next
  std::chrono::nanoseconds slack_{0};  // from a bucket with one token to a full one
  Ticks now_{}, full_{};
};

}  // namespace idem::core
