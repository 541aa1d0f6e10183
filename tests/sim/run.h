// Running one history, and many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/history.h"

namespace idem::sim {

struct Verdict {
  std::string invariant;  ///< empty: everything held
  std::string detail;
  std::uint64_t hash = 0;

  bool violated() const { return !invariant.empty(); }
};

/// Less of a history, to find the smallest that still shows a violation.
struct Limits {
  std::uint32_t faults = UINT32_MAX;  ///< those that may happen
  int messages = INT32_MAX;
  int steps = INT32_MAX;
  bool queue = false;     ///< as a queue, whatever was drawn
  bool external = false;  ///< with handlers whose effect is outside
};

Verdict run_history(std::uint64_t seed, Sightings& sightings, const Limits& limits = {},
                    bool tracing = false);

/// A smaller history of the same seed that breaks the same promise.
Limits shrink(std::uint64_t seed, const std::string& invariant, const Limits& from = {});

struct Violation {
  std::uint64_t seed;
  Verdict verdict;
};

struct Summary {
  std::uint64_t histories = 0;
  std::uint64_t hash = 0;  ///< of all, in whatever order they ran
  std::uint64_t violations = 0;
  std::vector<Violation> first;  ///< a few of them
  Sightings sightings;
  double cpu_seconds = 0;
};

/// `count` histories from seed `first` on, on `jobs` threads.
Summary run_histories(std::uint64_t first, std::uint64_t count, unsigned jobs, const Limits& limits = {});

const char* name_of(Fault fault);

}  // namespace idem::sim
