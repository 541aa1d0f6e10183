// Which delays are waited for in the store, and not in memory.
#pragma once

#include <chrono>
#include <functional>

#include <idem/runtime.h>

#include "core/delivery.h"

namespace idem::runtime {

struct LongDelays {
  std::function<Timestamp()> wall;  ///< by what clock they are due; null: the store keeps none
  std::chrono::milliseconds longer_than{0};
  OnLongDelay in_a_lane = OnLongDelay::wait;
  Ordering ordering = Ordering::by_partition;

  bool keep(const core::Delivery& delivery, std::chrono::milliseconds delay) const;
  /// Now, and so much later; not beyond what can be said.
  Timestamp due_in(std::chrono::milliseconds delay) const;
};

}  // namespace idem::runtime
