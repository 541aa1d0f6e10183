#include "sources/rabbitmq/establish.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/topology.h"

namespace idem::rabbit {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds lock_pause{100}, unread_pause{5}, unread_patience{5'000};
/// So long the server (3.10, 4.0) waits for the leader of a quorum queue in rabbit_quorum_queue:stat. If none answers, it
/// says 0 messages and 0 consumers.
constexpr std::chrono::milliseconds leader_patience{250};
constexpr int resource_locked = 405;

/// Of the queue alone: two consumers of different names would share its messages, too.
std::string lock_name(const std::string& queue) {
  std::string name = "idem.lock." + queue;
  if (name.size() <= longest_name) return name;
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a: the same in every process, whatever it was built with
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3u;
  return "idem.lock.#" + std::to_string(hash);
}

Failure read_by_another(const std::string& queue, const std::string& server_text) {
  return Failure(resource_locked,
                 "queue \"" + queue +
                     "\" is read by another process, and this one's store is its own: what one has done the other "
                     "would do again. Stop the other process; or let both share one store (PostgreSQL); or give each a "
                     "queue of its own",
                 server_text);
}

// `exclusive` on basic.consume would do for classic queues only; quorum queues ignore it. An exclusive queue belongs to
// one connection and goes with it.
void take_lock(Connection& connection, const std::string& queue, std::chrono::milliseconds patience,
               const std::atomic<bool>& cancelled) {
  const std::string name = lock_name(queue);
  const auto deadline = steady_clock::now() + patience;
  for (;;) {
    connection.open_channel(declaring_channel);
    amqp_queue_declare(connection.get(), declaring_channel, bytes(name), /*passive=*/0, /*durable=*/0, /*exclusive=*/1,
                       /*auto_delete=*/0, amqp_empty_table);
    try {
      connection.check("the lock queue \"" + name + "\" cannot be declared");
      return connection.close_channel(declaring_channel);
    } catch (const Failure& failure) {
      if (failure.code != resource_locked) throw;
      connection.channel_was_closed(declaring_channel);
      if (cancelled || steady_clock::now() >= deadline) throw read_by_another(queue, failure.text);
    }
    std::this_thread::sleep_for(lock_pause);
  }
}

/// Nullopt: the server may not know either.
std::optional<std::uint32_t> consumers_of(Connection& connection, const std::string& queue) {
  const auto asked = steady_clock::now();
  const amqp_queue_declare_ok_t* told =
      amqp_queue_declare(connection.get(), consuming_channel, bytes(queue), /*passive=*/1, /*durable=*/0, /*exclusive=*/0,
                         /*auto_delete=*/0, amqp_empty_table);
  connection.check("queue \"" + queue + "\" cannot be consumed");
  if (told->message_count == 0 && told->consumer_count == 0 && steady_clock::now() - asked >= leader_patience)
    return std::nullopt;
  return told->consumer_count;
}

// The connection that had the lock is gone, and the queue may not have heard of it yet: what it takes back then it would
// deliver behind later messages. Whoever is there for longer does not know the lock: it is no idem, or its store is
// shared.
void wait_until_nobody_reads(Connection& connection, const std::string& queue, std::chrono::milliseconds patience,
                             const std::atomic<bool>& cancelled) {
  const auto deadline = steady_clock::now() + std::max(patience, unread_patience);
  for (;;) {
    const std::optional<std::uint32_t> readers = consumers_of(connection, queue);
    if (readers == 0u) return;
    if (cancelled || steady_clock::now() >= deadline) {
      if (readers) throw read_by_another(queue, std::to_string(*readers) + " consumers on the queue");
      throw Failure(0, "queue \"" + queue + "\": the server does not learn from the queue's leader who reads it");
    }
    std::this_thread::sleep_for(unread_pause);
  }
}

void consume(Connection& connection, const Configuration& configuration, const Wish& wish,
             const std::atomic<bool>& cancelled) {
  const std::string& queue = configuration.options.queue;
  connection.open_channel(consuming_channel);
  amqp_basic_qos(connection.get(), consuming_channel, 0, wish.prefetch, /*global=*/0);
  connection.check("the prefetch cannot be set");
  try {
    if (configuration.exclusive) wait_until_nobody_reads(connection, queue, wish.wait_for_queue, cancelled);
    amqp_basic_consume(connection.get(), consuming_channel, bytes(queue), amqp_cstring_bytes("idem"), /*no_local=*/0,
                       /*no_ack=*/0, /*exclusive=*/0, amqp_empty_table);
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
    if (configuration.exclusive)
      take_lock(*connection, configuration.options.queue, wish.wait_for_queue, cancelled);
    declare(*connection, configuration.options.topology);
    consume(*connection, configuration, wish, cancelled);
  } catch (...) {
    connection->close();
    throw;
  }
  return connection;
}

}  // namespace idem::rabbit
