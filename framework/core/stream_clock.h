// Stream time: how far the messages themselves have come, by which ids are forgotten.
#pragma once

#include <deque>
#include <optional>

#include "core/delivery_core.h"

namespace idem::core {

struct StreamTime {
  std::optional<Timestamp> time;         ///< nullopt: nothing can be said yet
  const Partition* held_back = nullptr;  ///< the unread partition that keeps it from going on, if one does
};

/// The highest timestamp received, never after the wall clock, and held back by every assigned partition that has
/// unread messages behind it: a partition that lags by ten days must not find its own backlog forgotten.
StreamTime stream_time(const std::deque<Partition>& partitions, Timestamp wall);

}  // namespace idem::core
