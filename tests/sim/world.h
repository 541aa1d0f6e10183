// A whole history: broker, store and nodes, the events that may happen next, the healing at the end, the
// verdict.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "sim/broker.h"
#include "sim/checker.h"
#include "sim/history.h"
#include "sim/node.h"
#include "sim/store.h"

namespace idem::sim {

class World {
 public:
  explicit World(History& history);
  /// Runs the history. Afterwards history.violated() and history.hash() tell how it went.
  void run();

 private:
  enum class Kind : std::uint8_t {
    append,
    turn,
    worker,
    store,
    broker,
    time,  // the usual
    restart,
    assign,
    crash,
    revoke,
    lose,
    pause,
    resume,
    leave,
    wall,
    backup,
    restore,
    outage,
    recovery,
    redrive,  // the group's doing, faults, and people
  };
  struct Event {
    Kind kind;
    std::uint8_t node = 0;   ///< or partition
    std::uint8_t which = 0;  ///< worker, or node to assign to
    std::uint8_t weight = 1;
    bool is_fault = false;
  };

  void collect_events();
  void collect_events_of(int node);
  void collect_events_of_partition(int partition);
  const Event& choose();
  const Event& choose_systematically();
  void execute(const Event& event);
  void heal();
  bool drained();
  Node& node(int number) { return *nodes_[static_cast<std::size_t>(number)]; }

  History& history_;
  Checker checker_;
  Broker broker_;
  SimStore store_;
  Outside outside_;
  RuntimeOptions options_;
  std::array<std::optional<Node>, node_limit> nodes_;
  std::vector<Event> events_;
  std::uint32_t turn_ = 0;
  std::array<std::uint32_t, 64 * 4> last_done_{};  ///< by kind and place, for the systematic order
};

}  // namespace idem::sim
