// Which messages have an order among each other, and which of these orders stands still.
//
// Pure: no clock, no thread, no broker.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include <idem/kafka_publisher.h>

#include "publishers/send_queue.h"

namespace idem::kafka {

/// (topic, key, partition): the key does not count where a partition is given.
using Lane = std::tuple<std::string, std::optional<std::string>, std::optional<std::int32_t>>;

/// nullopt: the message has no order with any other.
std::optional<Lane> lane_of(const KafkaOutgoing& message);
Lane make_lane(const std::string& topic, const std::optional<std::string>& key, std::optional<std::int32_t> partition);

class Lanes {
 public:
  using Ticket = publish::Ticket;

  /// Why the lane stands still; nullptr: it runs.
  const std::string* stopped(const Lane& lane) const;
  void add(Ticket ticket, const Lane& lane);
  /// The message has its result.
  void ended(Ticket ticket, const Lane& lane);
  /// Nothing of it may be sent any more; the first reason stays.
  void stop(const Lane& lane, const std::string& why);
  /// What of it has no result yet, in order.
  std::vector<Ticket> held(const Lane& lane) const;
  /// False: it runs.
  bool resume(const Lane& lane);
  std::vector<StoppedLane> all_stopped() const;

 private:
  struct State {
    std::set<Ticket> held;
    std::optional<std::string> stopped;
  };
  void forget_if_idle(std::map<Lane, State>::iterator at);

  std::map<Lane, State> lanes_;  ///< those that hold something or stand still
};

}  // namespace idem::kafka
