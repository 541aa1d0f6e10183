#include "core/stream_clock.h"

#include <algorithm>

namespace idem::core {

StreamTime stream_time(const std::deque<Partition>& partitions, Timestamp wall) {
  StreamTime result;
  for (const Partition& p : partitions)
    if (p.assigned && p.newest) result.time = std::max(result.time.value_or(*p.newest), *p.newest);
  if (!result.time) return {};
  result.time = std::min(*result.time, wall);
  for (const Partition& p : partitions) {
    if (!p.assigned || p.at_end) continue;
    if (!p.newest) return {std::nullopt, &p};  // how far it is behind is not known yet
    if (*p.newest < *result.time) result = {*p.newest, &p};
  }
  return result;
}

}  // namespace idem::core
