#include "runtime/long_delays.h"

#include <algorithm>

#include "core/mutant.h"

namespace idem::runtime {
namespace {

/// A thousand years: nobody means more, and it can be added to any time that a clock shows.
constexpr std::chrono::milliseconds longest = std::chrono::days(365'000);

}  // namespace

bool LongDelays::keep(const core::Delivery& d, std::chrono::milliseconds delay) const {
  if (!wall || delay <= longer_than) return false;
  if (in_a_lane == OnLongDelay::pass || d.record.returning != 0) return true;  // what comes back has been passed already
  if (core::mutated(core::Mutant::delayed_passes_lane)) return true;
  return ordering == Ordering::unordered || (ordering == Ordering::by_key && !d.message.key);
}

Timestamp LongDelays::due_in(std::chrono::milliseconds delay) const { return wall() + std::min(delay, longest); }

}  // namespace idem::runtime
