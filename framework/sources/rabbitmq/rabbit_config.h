// The options of a RabbitSource, checked, and what follows from them.
#pragma once

#include <string>

#include <idem/rabbitmq.h>

#include "rabbitmq/server.h"

namespace idem::rabbit {

struct Configuration {
  RabbitOptions options;
  Server server;
  std::string consumer;            ///< the runtime's name for it
  std::uint16_t prefetch = 1;      ///< unacknowledged deliveries at most; never 0, which would mean no limit
  bool exclusive = true;           ///< the store is this process's own: nobody else may read the queue
  std::chrono::milliseconds consumer_timeout{0};
};

/// For people: "rabbitmq orders".
inline std::string name_of(const Configuration& configuration) { return "rabbitmq " + configuration.options.queue; }

/// Throws std::invalid_argument, naming the member.
Configuration configure(const RabbitOptions& options, const SourceContext& context);

}  // namespace idem::rabbit
