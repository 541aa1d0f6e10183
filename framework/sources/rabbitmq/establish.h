// From nothing to a channel that consumes: connect, keep others out, topology, prefetch, consume, in this order, at the
// start and after every loss.
#pragma once

#include <atomic>
#include <memory>

#include "rabbitmq/connection.h"
#include "sources/rabbitmq/rabbit_config.h"

namespace idem::rabbit {

struct Wish {
  Address address;
  std::uint16_t prefetch = 1;
  std::chrono::milliseconds wait_for_queue{0};
};

/// Throws Failure. `cancelled` ends the wait for another process early.
std::unique_ptr<Connection> establish(const Configuration& configuration, const Wish& wish,
                                      const std::atomic<bool>& cancelled);

}  // namespace idem::rabbit
