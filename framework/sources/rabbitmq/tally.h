// Counts of what happens to a RabbitSource; written by its I/O thread, read by anybody.
#pragma once

#include <atomic>

#include <idem/rabbitmq.h>

namespace idem::rabbit {

struct Tally {
  using Count = std::atomic<std::uint64_t>;
  Count cancelled{0}, channels_closed{0}, connections_closed{0}, connections_lost{0}, given_back{0}, reconnected{0},
      failed_attempts{0}, blocked{0}, unblocked{0}, handed_back{0};

  RabbitIncidents read() const {
    return {cancelled,   channels_closed, connections_closed, connections_lost, given_back,
            reconnected, failed_attempts, blocked,            unblocked,        handed_back};
  }
};

}  // namespace idem::rabbit
