// Sends to RabbitMQ without losing anything in silence. Usable without a runtime.
//
//   idem::RabbitPublisher publisher({.uri = "amqp://localhost", .topology = {.queues = {{.name = "orders"}}}});
//   if (auto result = publisher.publish({.routing_key = "orders", .payload = "…"}); !result.stored()) …
//
// Every message is persistent (delivery_mode 2), mandatory, and carries a message_id and a timestamp. A message without
// an answer is sent again with the same message_id, on a new connection, until its time is over: the queue may then
// hold it twice, and a consumer on idem drops the copy. Order is kept, but for such copies.
//
// One connection and one thread of its own. Every method may be called from any thread at any time, but close() only
// once others have stopped publishing or bear that they are refused.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <idem/message.h>
#include <idem/publish_result.h>
#include <idem/rabbitmq.h>
#include <idem/rabbitmq_topology.h>

namespace idem {

class Destination;

/// A message to be sent. Names and properties are at most 255 bytes, as AMQP has them; a longer one is refused.
struct RabbitOutgoing {
  std::string exchange;  ///< "": the default exchange, where the routing key is the queue's name
  std::string routing_key;
  std::string payload;
  std::string id;  ///< message_id. Empty: a UUID is made; the result tells it
  RabbitArguments headers;
  std::string content_type, content_encoding, correlation_id, reply_to, type, app_id;
  std::optional<Timestamp> timestamp;                   ///< whole seconds reach the server. nullopt: now
  std::optional<std::chrono::milliseconds> expiration;  ///< dropped or dead-lettered when it has waited this long
  std::optional<std::uint8_t> priority;
};

struct RabbitPublisherOptions {
  /// As RabbitOptions has them.
  std::string uri = "amqp://guest:guest@localhost";
  std::vector<std::string> more_hosts;
  std::string password_file, password_env;
  RabbitTls tls;
  std::chrono::seconds heartbeat{30};

  /// Names the connection for operators.
  std::string name = "publisher";
  /// Declared at every connect and compared with what is there. What is not durable is refused: `stored` would end with
  /// the next restart of the server.
  RabbitTopology topology;

  enum class Mode {
    confirm,      ///< the server confirms each message; many are on their way at once
    transaction,  ///< tx.select: a message, or a batch of publish_all(), is one transaction. One round trip each,
                  ///< hundreds of times slower. A batch is whole in each queue or absent; RabbitMQ does not promise it
                  ///< across queues
  };
  Mode mode = Mode::confirm;

  /// Messages sent and not answered, at most.
  std::size_t window = 2'000;
  /// What may be in hand without a result, sent or not. When it is full, publishing waits `wait_for_room` and is
  /// refused then; 0: at once. While the server blocks publishers (low on memory or disk) nothing is sent, so this
  /// fills up.
  std::size_t queue_messages = 10'000, queue_bytes = 64 << 20;
  std::chrono::milliseconds wait_for_room{10'000};

  /// A message without an answer for this long is sent again on a new connection. Shorter than what the server needs to
  /// answer under load means copies. Not counted while the server blocks publishers.
  std::chrono::milliseconds confirm_timeout{30'000};
  /// A message that the server answers with a nack (a queue it is routed to is full with reject-publish, or failed) is
  /// sent again this much later, behind what came since, until its time is over: `refused` then. If it is routed to
  /// several queues, one that has taken it gets a copy each time. 0: `refused` at once.
  std::chrono::milliseconds nack_pause{500};
  /// A message without a result this long after publish() took it ends: `refused` if it never left or was refused each
  /// time, else `unknown`.
  std::chrono::milliseconds give_up{120'000};
  /// How long the destructor waits for what is in hand, if close() was not called.
  std::chrono::milliseconds close_timeout{30'000};

  /// false: the constructor does not wait for a connection, and what is published waits for it.
  bool connect_at_start = true;
};

class RabbitPublisher {
 public:
  /// Connects and declares. Throws std::invalid_argument for an option that is wrong, by name, and std::runtime_error
  /// when no server can be reached or it refuses the login or the topology.
  explicit RabbitPublisher(RabbitPublisherOptions options);
  /// As close(close_timeout); logs how many messages it leaves behind.
  ~RabbitPublisher();
  RabbitPublisher(const RabbitPublisher&) = delete;
  RabbitPublisher& operator=(const RabbitPublisher&) = delete;

  /// Waits for the result, wait_for_room + give_up at most.
  PublishResult publish(RabbitOutgoing message);
  /// Waits for all of them, sent together; results are in their order. Mode::transaction: one transaction, at most
  /// `window` messages; if one of them cannot be sent, none is.
  [[nodiscard]] std::vector<PublishResult> publish_all(std::vector<RabbitOutgoing> messages);
  /// Returns when there is room for the message; the result comes later.
  [[nodiscard]] std::future<PublishResult> publish_async(RabbitOutgoing message);
  void publish_async(RabbitOutgoing message, PublishCallback done);

  /// Waits for the results of all that was published before; false: not all of them came in time.
  [[nodiscard]] bool flush(std::chrono::milliseconds timeout);
  /// Takes nothing more, waits for what is in hand, and answers with what has no good end by then. Ending takes some
  /// seconds more if a server does not answer. The second time: empty. Not from a callback (std::logic_error).
  Unresolved close(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// An exchange as a destination of the outbox; `publisher` is borrowed. Give an exchange that may be missing a publisher of
/// its own: the server closes the channel over it, and what was on its way for others is sent twice. `routing_key` empty: the message's key is it.
/// Order is kept unless the server answers a message with a nack (a full queue): it is sent again behind those that were
/// on their way.
std::unique_ptr<Destination> rabbit_exchange(RabbitPublisher& publisher, std::string exchange,
                                             std::string routing_key = {});
/// A queue, by way of the default exchange.
std::unique_ptr<Destination> rabbit_queue(RabbitPublisher& publisher, std::string queue);

}  // namespace idem
