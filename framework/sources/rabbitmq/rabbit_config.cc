#include "sources/rabbitmq/rabbit_config.h"

#include <algorithm>

#include "rabbitmq/topology.h"

namespace idem::rabbit {
namespace {

constexpr std::size_t largest_prefetch = 65'535;

std::chrono::milliseconds consumer_timeout(const RabbitOptions& options) {
  for (const RabbitQueue& queue : options.topology.queues) {
    const auto found = queue.arguments.find("x-consumer-timeout");
    if (queue.name != options.queue || found == queue.arguments.end()) continue;
    if (const auto* value = std::get_if<std::int64_t>(&found->second)) return std::chrono::milliseconds(*value);
  }
  return options.consumer_timeout;
}

}  // namespace

Configuration configure(const RabbitOptions& options, const SourceContext& context) {
  using namespace std::chrono_literals;
  const Owner owner{"RabbitMQ source", "RabbitOptions"};
  Configuration made;
  made.options = options;
  made.server = server_of(owner, context.consumer, options);
  owner.require_name(options.queue, "queue");
  owner.require(options.consumer_timeout >= 0ms, "consumer_timeout", "must not be negative");
  owner.require(options.wait_for_queue >= 0ms, "wait_for_queue", "must not be negative");
  check_topology(options.topology, owner);

  made.consumer = context.consumer;
  // One less than the runtime takes: the broker holds back before the runtime has to pause, which here means not to
  // read from the connection.
  made.prefetch = static_cast<std::uint16_t>(
      std::clamp<std::size_t>(context.budget_messages, 2, largest_prefetch + 1) - 1);
  made.exclusive = !context.shared_store;
  made.consumer_timeout = consumer_timeout(options);
  return made;
}

}  // namespace idem::rabbit
