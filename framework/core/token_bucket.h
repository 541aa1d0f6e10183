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
    const double each = 1e9 / limit.messages_per_second;
    each_ = std::chrono::nanoseconds(std::max<std::int64_t>(1, std::llround(each)));
    // The I/O thread sleeps in milliseconds: a smaller bucket would lose what overflows meanwhile.
    const auto at_least = static_cast<std::int64_t>(std::ceil(0.01 * limit.messages_per_second));
    slack_ = each_ * (std::max<std::int64_t>(limit.burst, at_least) - 1);
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
  std::chrono::nanoseconds each_{0}, slack_{0};  // between two tokens; between an empty bucket and a full one, less one
  Ticks now_{}, full_{};
};

}  // namespace idem::core
