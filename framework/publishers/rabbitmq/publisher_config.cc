#include "publishers/rabbitmq/publisher_config.h"

#include <sys/socket.h>

#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/topology.h"

namespace idem::rabbit {
namespace {

using namespace std::chrono_literals;

void check_own(const RabbitPublisherOptions& options, const Owner& owner) {
  for (const RabbitExchange& exchange : options.topology.exchanges)
    owner.require(exchange.durable, "topology.exchanges: \"" + exchange.name + "\"",
                  "is not durable: after a restart of the server nothing could be sent to it; declare it durable");
  for (const RabbitQueue& queue : options.topology.queues)
    owner.require(queue.durable, "topology.queues: \"" + queue.name + "\"",
                  "is not durable: what is stored in it would be lost when the server restarts; declare it durable");
  owner.require(options.window >= 1, "window", "is 0: nothing could be sent");
  owner.require(options.queue_messages >= 1, "queue_messages", "is 0: nothing could be taken");
  owner.require(options.queue_bytes >= 1, "queue_bytes", "is 0: nothing could be taken");
  owner.require(options.wait_for_room >= 0ms, "wait_for_room", "must not be negative");
  owner.require(options.confirm_timeout > 0ms, "confirm_timeout", "must be longer than zero");
  owner.require(options.nack_pause >= 0ms, "nack_pause", "must not be negative");
  owner.require(options.give_up > 0ms, "give_up", "must be longer than zero");
  owner.require(options.close_timeout >= 0ms, "close_timeout", "must not be negative");
}

// What a write may not exceed once the socket is writable, so that it never waits: a third of this is free then. The
// kernel grants what net.core.wmem_max allows and doubles it.
constexpr int send_buffer = 208 << 10;

}  // namespace

Server configure_publisher(const RabbitPublisherOptions& options) {
  const Owner owner{"RabbitMQ publisher", "RabbitPublisherOptions"};
  check_own(options, owner);
  check_topology(options.topology, owner);
  return server_of(owner, options.name, options);
}

void open_publishing_channel(Connection& connection, RabbitPublisherOptions::Mode mode) {
  connection.open_channel(publishing_channel);
  if (mode == RabbitPublisherOptions::Mode::transaction)
    amqp_tx_select(connection.get(), publishing_channel);
  else
    amqp_confirm_select(connection.get(), publishing_channel);
  connection.check("the channel cannot be put into its mode");
}

std::unique_ptr<Connection> connect_publisher(const Server& server, const Address& address,
                                              const RabbitPublisherOptions& options) {
  auto connection = std::make_unique<Connection>(server, address);
  try {
    setsockopt(connection->socket(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    declare(*connection, options.topology);
    open_publishing_channel(*connection, options.mode);
  } catch (...) {
    connection->close();
    throw;
  }
  return connection;
}

}  // namespace idem::rabbit
