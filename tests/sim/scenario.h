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
  restore,  ///< the store is put back to an earlier state while its node is down
  count,
};

struct Scenario {
  int nodes = 1;
  int workers = 2;
  int messages = 4;  ///< sent in all, at most
  int steps = 100;   ///< before everything is healed
  Ordering ordering = Ordering::by_partition;
  bool by_position = false;  ///< identity; only with one node
  bool queues = false;       ///< acknowledged message by message, as AMQP has it, instead of a log with positions
  int partitions = partition_count;
  std::size_t budget = 8;
  int attempts = 3;
  OnConflict on_conflict = OnConflict::park;
  bool interrupts_once =
      false;  ///< the store says "interrupted" once per lost group, or until the next look_up
  bool waits_for_others =
      false;  ///< an id in another node's open group: busy at once, or found out at the commit
  std::uint32_t faults = 0;

  bool has(Fault fault) const { return faults >> static_cast<int>(fault) & 1; }

  static Scenario draw(Choices& choices);
  /// The same with queues, without what there is only in a log or only with positions. A store that is put back has
  /// forgotten what was acknowledged: nothing brings that again.
  void make_queues() {
    queues = true;
    by_position = false;
    for (Fault f : {Fault::revoke, Fault::commit_refused, Fault::answer_lost, Fault::gap, Fault::restore})
      faults &= ~(1u << static_cast<int>(f));
  }
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
  s.faults = c.pick(1u << static_cast<int>(Fault::count));
  return s;
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
