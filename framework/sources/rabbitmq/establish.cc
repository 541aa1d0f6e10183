#include "sources/rabbitmq/establish.h"

#include <thread>

#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/topology.h"

namespace idem::rabbit {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds lock_pause{100};
constexpr int resource_locked = 405;

/// Answers a channel.close, so that the channel can be opened again.
void channel_was_closed(Connection& connection, std::uint16_t channel) {
  amqp_channel_close_ok_t ok{};
  amqp_send_method(connection.get(), channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
  amqp_maybe_release_buffers(connection.get());
}

std::string lock_name(const Configuration& configuration) {
  // Length first, or two pairs of names could give one lock.
  std::string name = "idem.lock." + std::to_string(configuration.consumer.size()) + "." + configuration.consumer + "." +
                     configuration.options.queue;
  if (name.size() <= 255) return name;
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a: the same in every process, whatever it was built with
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3u;
  return "idem.lock.#" + std::to_string(hash);
}

// `exclusive` on basic.consume would do for classic queues only; quorum queues ignore it. An exclusive queue belongs to
// one connection and goes with it.
void take_lock(Connection& connection, const Configuration& configuration, const Wish& wish,
               const std::atomic<bool>& cancelled) {
  const std::string name = lock_name(configuration);
  const auto deadline = steady_clock::now() + wish.wait_for_queue;
  for (;;) {
    connection.open_channel(declaring_channel);
    amqp_queue_declare(connection.get(), declaring_channel, bytes(name), /*passive=*/0, /*durable=*/0, /*exclusive=*/1,
                       /*auto_delete=*/0, amqp_empty_table);
    try {
      connection.check("the lock queue \"" + name + "\" cannot be declared");
      amqp_channel_close(connection.get(), declaring_channel, AMQP_REPLY_SUCCESS);
      return connection.check("the declaring channel cannot be closed");
    } catch (const Failure& failure) {
      if (failure.code != resource_locked) throw;
      channel_was_closed(connection, declaring_channel);
      if (cancelled || steady_clock::now() >= deadline)
        throw Failure(resource_locked,
                      "queue \"" + configuration.options.queue + "\" is read by another process of consumer \"" +
                          configuration.consumer +
                          "\", and each has a store of its own: what one has done the other would do again. Stop the "
                          "other process; or let both share one store (PostgreSQL); or give each a queue of its own",
                      failure.text);
    }
    std::this_thread::sleep_for(lock_pause);
  }
}

void consume(Connection& connection, const Configuration& configuration, std::uint16_t prefetch) {
  const std::string& queue = configuration.options.queue;
  connection.open_channel(consuming_channel);
  amqp_basic_qos(connection.get(), consuming_channel, 0, prefetch, /*global=*/0);
  connection.check("the prefetch cannot be set");
  amqp_basic_consume(connection.get(), consuming_channel, bytes(queue), amqp_cstring_bytes("idem"), /*no_local=*/0,
                     /*no_ack=*/0, /*exclusive=*/0, amqp_empty_table);
  try {
    connection.check("queue \"" + queue + "\" cannot be consumed");
  } catch (const Failure& failure) {
    if (failure.code != 404) throw;
    throw Failure(failure.code,
                  std::string(failure.what()) +
                      "; create it, correct RabbitOptions::queue, or declare it in RabbitOptions::topology",
                  failure.text);
  }
}

}  // namespace

std::unique_ptr<Connection> establish(const Configuration& configuration, const Wish& wish,
                                      const std::atomic<bool>& cancelled) {
  auto connection = std::make_unique<Connection>(configuration.server, wish.address);
  try {
    if (configuration.exclusive) take_lock(*connection, configuration, wish, cancelled);
    declare(*connection, configuration.options.topology);
    consume(*connection, configuration, wish.prefetch);
  } catch (...) {
    connection->close();
    throw;
  }
  return connection;
}

}  // namespace idem::rabbit
