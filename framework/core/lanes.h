// Which messages must not overtake each other, and which of them may run now.
//
// A lane lasts as long as it holds a message; lanes are pooled. The core calls everything here, on its one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <idem/runtime.h>

#include "core/delivery.h"
#include "core/flat_map.h"
#include "core/mutant.h"
#include "core/partition.h"

namespace idem::core {

/// Messages that must not overtake each other: a partition, a key, or one message alone.
struct Lane {
  std::uint64_t key = 0;
  bool by_key = false;           ///< found by its key
  Partition* partition = nullptr;
  Delivery *head = nullptr, *tail = nullptr;
  std::size_t running = 0;       ///< dispatched and not completed; the lane is closed meanwhile
  bool in_ready = false;
  Lane* next_ready = nullptr;

  bool runnable() const { return running == 0 && partition->dispatching && first_runnable() != nullptr; }

  Delivery* first_runnable() const {
    Delivery* d = head;
    if (mutated(Mutant::lane_not_held))
      while (d && d->state == Delivery::State::backing_off) d = d->next;
    return d && may_run(*d) ? d : nullptr;
  }

  static bool may_run(const Delivery& d) { return d.state == Delivery::State::queued && !d.waits_for_copy; }
};

class Lanes {
 public:
  explicit Lanes(Ordering ordering) : ordering_(ordering) {}

  /// Puts the delivery at the end of its lane. An update() of the lane is due.
  void enter(Partition& partition, Delivery& delivery);
  /// Takes the delivery out of its lane, wherever in it it is. An update() of the lane is due.
  void leave(Delivery& delivery);
  /// After every change: a lane with a message that may run becomes ready, one without any message is given back.
  void update(Lane& lane);

  /// How many lanes are ready, and the one that has been for longest (nullptr: none). What was true when it became
  /// ready need not be any more: ask it.
  std::size_t ready() const { return ready_; }
  Lane* first_ready() const { return first_ready_; }
  /// Takes the first ready lane off the list.
  void pop_ready();
  /// Makes the first ready lane of which `wanted` likes the message that may run the first of all. False: there is none.
  template <class Wanted>
  bool bring_forward(Wanted wanted) {
    Lane* before = nullptr;
    for (Lane* lane = first_ready_; lane; before = std::exchange(lane, lane->next_ready)) {
      if (!lane->runnable() || !wanted(*lane->first_runnable())) continue;
      if (!before) return true;
      before->next_ready = lane->next_ready;
      if (last_ready_ == lane) last_ready_ = before;
      lane->next_ready = std::exchange(first_ready_, lane);
      return true;
    }
    return false;
  }

 private:
  struct KeyHash {
    std::uint64_t operator()(std::uint64_t key) const { return key; }
  };

  Lane* lane_of(Partition& partition, const Delivery& delivery);
  Lane* take(Partition& partition);

  const Ordering ordering_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Lane*> free_;
  FlatMap<std::uint64_t, Lane*, KeyHash> by_key_;
  Lane *first_ready_ = nullptr, *last_ready_ = nullptr;
  std::size_t ready_ = 0;
};

}  // namespace idem::core
