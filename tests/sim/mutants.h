// Bugs on purpose, each switched on in turn: a simulator that does not find them proves nothing.
#pragma once

#include <cstdint>

namespace idem::sim {

/// Prints a line per mutant, last "mutants caught K of K". True if all were caught within `limit` histories.
bool run_mutants(std::uint64_t first_seed, std::uint64_t limit);

}  // namespace idem::sim
