#include "sim/search.h"

#include <cstdio>
#include <unordered_set>
#include <vector>

#include "sim/world.h"

namespace idem::sim {
namespace {

/// The next list of decisions, depth first: the last one that can be taken differently is.
bool advance(std::vector<std::uint32_t>& prefix, const std::vector<Choices::Taken>& taken) {
  std::size_t last = taken.size();
  while (last > 0 && taken[last - 1].choice + 1 >= taken[last - 1].of) --last;
  if (last == 0) return false;
  prefix.clear();
  for (std::size_t i = 0; i + 1 < last; ++i) prefix.push_back(taken[i].choice);
  prefix.push_back(taken[last - 1].choice + 1);
  return true;
}

bool search(int nodes, const SearchLimits& limits) {
  Sightings sightings;
  std::unordered_set<std::uint64_t> distinct;
  std::vector<std::uint32_t> prefix;
  std::uint64_t histories = 0, violations = 0;
  bool more = true;
  for (; more && histories < limits.histories; ++histories) {
    History history(Choices({prefix, limits.faults, limits.deviations}), sightings, false);
    history.scenario = Scenario::tiny(nodes);
    World(history).run();
    distinct.insert(history.hash());
    if (history.violated() && ++violations == 1) {
      std::printf("violation %s: %s; the history:\n", history.violated(), history.detail().c_str());
      History again(Choices({prefix, limits.faults, limits.deviations}), sightings, true);
      again.scenario = Scenario::tiny(nodes);
      World(again).run();
    }
    more = advance(prefix, history.choices.taken());
  }
  std::printf(
      "%d node%s, 1 partition, 3 messages, 2 workers, at most %d faults and %d deviations: "
      "histories %llu distinct %zu %s violations %llu\n",
      nodes, nodes == 1 ? "" : "s", limits.faults, limits.deviations,
      static_cast<unsigned long long>(histories), distinct.size(), more ? "(not all)" : "(all)",
      static_cast<unsigned long long>(violations));
  std::fflush(stdout);
  return violations == 0;
}

}  // namespace

bool run_search(const SearchLimits& limits) {
  const bool one = search(1, limits);
  const bool two = search(2, limits);
  return one && two;
}

}  // namespace idem::sim
