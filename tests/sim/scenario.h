// What one history is made of: drawn once at its start.
#pragma once

#include <cstdint>

#include <idem/runtime.h>

#include "sim/choices.h"

namespace idem::sim {

constexpr int partition_count = 2;
constexpr int node_limit = 2;

/// What may go wrong. Each kind is switched off for half of the histories, so that the others meet in every
/// combination and rare ones are not drowned (swarm testing).
enum class Fault : std::uint8_t {
  crash,             ///< a node ends between two steps
  crash_inside,      ///< … or inside a call: while it drains, around an offset commit
  revoke,            ///< the group takes a partition back
  lose,              ///< the group gave a partition away without asking
  pause,             ///< a node stands still
  stop,              ///< a node is asked to leave
  commit_refused,    ///< an offset commit fails
  commit_late,       ///< … is handled later
  answer_lost,       ///< … is applied and its answer says it failed
  late_notice,       ///< a node learns late that it lost a partition
  store_busy,        ///< the store cannot do it now
  group_lost,        ///< a call ends the whole transaction (disk full)
  commit_failed,     ///< a group is certainly not applied
  commit_unknown,    ///< COMMIT fails and may have been applied
  store_gone,        ///< the store cannot go on
  statement_failed,  ///< a statement of the handler fails
  handler_retry,
  handler_dead_letter,
  handler_throws,
  slow_handler,  ///< the drain deadline passes
  wall_jump,
  copy,      ///< the producer sends an id again
  conflict,  ///< … with another payload
  no_id,
  gap,      ///< offsets without a message
  hand_back,  ///< a queue only: a delivery goes back to it while its message is under way
  restore,  ///< the store is put back to an earlier state while its node is down
  outage,   ///< what all handlers need is down for a while
  redrive,  ///< no fault: a person puts a parked message back to work
  count,
};

struct Scenario {
  int nodes = 1;
  int workers = 2;
  int messages = 4;  ///< sent in all, at most
  int steps = 100;   ///< before everything is healed
  Ordering ordering = Ordering::by_partition;
  bool by_position = false;  ///< identity; only with one node
  bool external = false;     ///< the effect is outside: claims, calls, conclusions
  OnUnresolved on_unresolved = OnUnresolved::call;
  bool queue = false;        ///< AMQP-like: no positions, deliveries with tags, acknowledged one by one
  int partitions = partition_count;
  std::size_t budget = 8;
  int attempts = 3;
  bool breaker = false;       ///< and the ration of parkings that comes with it
  int probes = 1;             ///< that close it
  int parking_allowance = 1;
  bool rate_limit = false;
  OnConflict on_conflict = OnConflict::park;
  bool interrupts_once =
      false;  ///< the store says "interrupted" once per lost group, or until the next look_up
  bool waits_for_others =
      false;  ///< an id in another node's open group: busy at once, or found out at the commit
  std::size_t longest_span = 1;  ///< records that the store can only undo together
  bool keeps_delays = false;     ///< the store does
  OnLongDelay on_long_delay = OnLongDelay::wait;
  std::uint32_t faults = 0;

  bool has(Fault fault) const { return faults >> static_cast<int>(fault) & 1; }

  bool one_lane(int key, int other_key) const {
    return ordering == Ordering::by_partition || (ordering == Ordering::by_key && key >= 0 && key == other_key);
  }
  void make_queue();
  void make_external();
  static Scenario draw(Choices& choices);
  static Scenario tiny(int nodes);
};

inline Scenario Scenario::draw(Choices& c) {
  Scenario s;
  s.nodes = 1 + static_cast<int>(c.pick(2));
  s.workers = 1 + static_cast<int>(c.pick(3));
  s.messages = 3 + static_cast<int>(c.pick(6));
  s.steps = 40 + static_cast<int>(c.pick(80));
  s.ordering = static_cast<Ordering>(c.pick(3));
  s.by_position = s.nodes == 1 && c.pick(4) == 0;
  s.budget = 1 + c.pick(8);
  s.attempts = 1 + static_cast<int>(c.pick(3));
  s.on_conflict = c.pick(4) == 0 ? OnConflict::duplicate : OnConflict::park;
  s.interrupts_once = c.pick(2) == 0;
  s.waits_for_others = c.pick(2) == 0;
  s.longest_span = std::size_t{1} << c.pick(3);
  s.queue = c.pick(4) == 0;
  s.faults = c.pick(1u << static_cast<int>(Fault::count));
  s.on_unresolved = c.pick(4) == 0 ? OnUnresolved::park : OnUnresolved::call;
  s.breaker = c.pick(2) == 0;
  s.probes = 1 + static_cast<int>(c.pick(2));
  s.parking_allowance = 1 + static_cast<int>(c.pick(2));
  s.rate_limit = c.pick(4) == 0;
  if (s.queue) s.make_queue();
  if (c.pick(3) == 0) s.make_external();
  s.keeps_delays = c.pick(2) == 0;
  s.on_long_delay = c.pick(2) == 0 ? OnLongDelay::pass : OnLongDelay::wait;
  return s;
}

/// A store that is put back to a backup has forgotten which calls were about to be made: nothing can be said of them.
/// One node at a time: a claim that is found is that of a process that is gone. Several at once would need leases.
inline void Scenario::make_external() {
  external = true;
  nodes = 1;
  by_position = false;
  faults &= ~(1u << static_cast<int>(Fault::restore));
}

/// Nothing in a queue has a position, nobody takes a part of it away in good order, and an acknowledgement has no
/// answer. What a store forgets of a queue that was told "done" is gone.
inline void Scenario::make_queue() {
  queue = true;
  by_position = false;
  for (Fault f : {Fault::revoke, Fault::commit_refused, Fault::answer_lost, Fault::gap, Fault::restore})
    faults &= ~(1u << static_cast<int>(f));
}

/// For the systematic search: one partition, three messages of which the last is a copy of the first.
inline Scenario Scenario::tiny(int nodes) {
  Scenario s;
  s.nodes = nodes;
  s.workers = 2;
  s.messages = 3;
  s.steps = 60;
  s.ordering = Ordering::unordered;
  s.partitions = 1;
  s.budget = 3;
  s.attempts = 2;
  auto allow = [&s](std::initializer_list<Fault> faults) {
    for (Fault f : faults) s.faults |= 1u << static_cast<int>(f);
  };
  allow({Fault::crash, Fault::crash_inside, Fault::revoke, Fault::lose, Fault::commit_refused,
         Fault::answer_lost, Fault::group_lost, Fault::commit_failed, Fault::commit_unknown,
         Fault::handler_retry, Fault::handler_dead_letter});
  return s;
}

}  // namespace idem::sim
