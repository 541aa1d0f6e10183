#include "publishers/rabbitmq/publisher_config.h"

#include <sys/socket.h>

#include <stdexcept>

#include "sources/rabbitmq/amqp_headers.h"
#include "sources/rabbitmq/rabbit_topology.h"

namespace idem::rabbit {
namespace {

using namespace std::chrono_literals;

void check(bool good, const std::string& member, const std::string& what) {
  if (!good) throw std::invalid_argument("RabbitMQ publisher: RabbitPublisherOptions::" + member + " " + what);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

void check_own(const RabbitPublisherOptions& options) {
  for (const RabbitExchange& exchange : options.topology.exchanges)
    check(exchange.durable, "topology.exchanges: \"" + exchange.name + "\"",
          "is not durable: after a restart of the server nothing could be sent to it; declare it durable");
  for (const RabbitQueue& queue : options.topology.queues)
    check(queue.durable, "topology.queues: \"" + queue.name + "\"",
          "is not durable: what is stored in it would be lost when the server restarts; declare it durable");
  check(options.window >= 1, "window", "is 0: nothing could be sent");
  check(options.queue_messages >= 1, "queue_messages", "is 0: nothing could be taken");
  check(options.queue_bytes >= 1, "queue_bytes", "is 0: nothing could be taken");
  check(options.wait_for_room >= 0ms, "wait_for_room", "must not be negative");
  check(options.confirm_timeout > 0ms, "confirm_timeout", "must be longer than zero");
  check(options.give_up > 0ms, "give_up", "must be longer than zero");
  check(options.close_timeout >= 0ms, "close_timeout", "must not be negative");
}

// What a write may not exceed once the socket is writable, so that it never waits: a third of this is free then. The
// kernel grants what net.core.wmem_max allows and doubles it.
constexpr int send_buffer = 208 << 10;

}  // namespace

Configuration configure_publisher(const RabbitPublisherOptions& options) {
  check_own(options);
  RabbitOptions shared;
  shared.uri = options.uri;
  shared.more_hosts = options.more_hosts;
  shared.password_file = options.password_file;
  shared.password_env = options.password_env;
  shared.tls = options.tls;
  shared.heartbeat = options.heartbeat;
  shared.topology = options.topology;
  shared.queue = "none";  // nothing is consumed
  SourceContext context;
  context.consumer = options.name;
  try {
    return configure(shared, context);
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument(of_publisher(e.what()));
  }
}

std::string of_publisher(std::string text) {
  replace_all(text, "RabbitMQ source", "RabbitMQ publisher");
  replace_all(text, "RabbitOptions::", "RabbitPublisherOptions::");
  return text;
}

void open_publishing_channel(Connection& connection, RabbitPublisherOptions::Mode mode) {
  connection.open_channel(publishing_channel);
  if (mode == RabbitPublisherOptions::Mode::transaction)
    amqp_tx_select(connection.get(), publishing_channel);
  else
    amqp_confirm_select(connection.get(), publishing_channel);
  connection.check("the channel cannot be put into its mode");
}

std::unique_ptr<Connection> connect_publisher(const Configuration& configuration, const Address& address,
                                              RabbitPublisherOptions::Mode mode) {
  auto connection = std::make_unique<Connection>(configuration, address);
  try {
    setsockopt(connection->socket(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    declare(*connection, configuration.options.topology);
    open_publishing_channel(*connection, mode);
  } catch (...) {
    connection->close();
    throw;
  }
  return connection;
}

}  // namespace idem::rabbit
