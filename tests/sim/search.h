// The systematic search of a tiny world: every history with at most so many faults and so many deviations
// from the usual order of events, one by one.
#pragma once

#include <cstdint>

namespace idem::sim {

struct SearchLimits {
  int faults = 2;
  int deviations = 1;
  std::uint64_t histories = 10'000'000;  ///< of each world, at most
};

/// Prints a line per world. True if nothing was violated.
bool run_search(const SearchLimits& limits);

}  // namespace idem::sim
