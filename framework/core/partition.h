// What the core knows of one partition: its assignment, its progress, and what of it is in flight.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <idem/message.h>
#include <idem/progress.h>
#include <idem/source.h>
#include <idem/store.h>

namespace idem::core {

struct Lane;

/// A partition during one assignment.
struct Partition {
  PartitionRef ref;
  std::uint32_t index = 0;
  std::atomic<std::uint32_t> epoch{0};   ///< read by workers; raised when the assignment ends
  bool assigned = false;
  bool dispatching = true;               ///< false while being revoked
  std::uint32_t slot = Record::no_partition;
  Progress progress;                     ///< durable in the store
  std::int64_t position = 0;             ///< after the last received message
  std::int64_t committed = -1;           ///< confirmed by the broker
  std::int64_t sent = -1;                ///< in a commit that has not been answered
  std::vector<std::int64_t> finished;    ///< without stable positions: durable and not yet acknowledged, each once
  std::optional<Progress::Range> check;  ///< the remembered record that is read once more, to compare its print
  std::size_t messages = 0, bytes = 0;   ///< in flight
  std::size_t returning = 0;             ///< of these, from the store
  std::optional<Timestamp> next_return;  ///< when the store may have something that comes back; nullopt: it has nothing
  bool at_end = false;                   ///< nothing unread behind the position, as far as the source said
  bool paused = false;                   ///< what the source was told
  std::optional<Timestamp> newest;       ///< highest timestamp received
  Lane* lane = nullptr;                  ///< Ordering::by_partition

  PartitionHandle handle() const { return {index, epoch.load(std::memory_order_relaxed)}; }
};

}  // namespace idem::core
