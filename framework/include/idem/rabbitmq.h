// RabbitMQ as a source. The C library (rabbitmq-c) stays in the .cc files.
//
// A delivery is acknowledged after its record is durable in the store, never earlier and never automatically. Delivery
// tags name nothing beyond their channel, so a message is known by its id (id_from_position() is refused): most often
// id_from_header("message_id"). What a handler sees as headers: the message's own header table with each value as text
// (nested ones as JSON), then the AMQP properties it carries under their names (message_id, correlation_id, reply_to,
// type, app_id, user_id, content_type, content_encoding, expiration, priority, delivery_mode), then `exchange`,
// `routing_key` and, if the server says so, `redelivered` = "true". x-death and x-delivery-count are in the table.
// Message::timestamp is the timestamp property: without it an old copy cannot be told from a new message by age.
//
// A message without an id is parked; redelivered before its acknowledgement arrived, it is parked once more.
//
// One source is one queue, one connection and one channel. The prefetch is Budget::messages less one, at most 65,535. If
// Budget::bytes has no room for that many of the messages that come, what is unacknowledged is given back to the queue
// once and the prefetch lowered to what fitted, for the rest of the run.
//
// Order is the queue's. A classic queue takes back what was unacknowledged to where it was. A quorum queue puts it behind
// what it took back before and has not delivered since: with a prefetch smaller than the connection before had messages
// (a smaller Budget::messages, or lowered as above), the next connection after that gets later ones first (seen on 3.10).
// Where order counts on a quorum queue, shrink the budget while the queue is empty, and give Budget::bytes room enough.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <idem/rabbitmq_topology.h>
#include <idem/source.h>

namespace idem {

struct RabbitTls {
  std::string ca_file;           ///< PEM. Required for amqps:// unless verification is off
  std::string certificate_file;  ///< PEM, of this client; with key_file. Empty: none is shown
  std::string key_file;
  bool verify = true;            ///< the server's certificate and its host name. false: anybody on the way can read and
                                 ///< forge messages
};

struct RabbitOptions {
  /// amqp[s]://[user[:password]@]host[:port][/vhost], percent-encoded; the vhost "/" is written %2f or left out.
  /// Never logged with its password.
  std::string uri = "amqp://guest:guest@localhost";
  /// More servers of the cluster, "host" or "host:port", tried in turn after the URI's.
  std::vector<std::string> more_hosts;
  /// The password, read at every connect: from a file (its first line), or from an environment variable.
  std::string password_file, password_env;
  RabbitTls tls;

  /// The queue to consume. Required.
  std::string queue;
  /// Declared at every connect. Empty: the queue must exist.
  RabbitTopology topology;

  /// Message::key is the value of this header; empty: the routing key. The order of Ordering::by_key is per key.
  std::string key_header;

  /// A peer that is silent for twice this long is given up: shorter finds a dead connection sooner, and takes a busy
  /// server for a dead one sooner. Whole seconds, at least 1.
  std::chrono::seconds heartbeat{30};
  /// The server's limit for an unacknowledged delivery, past which it closes the channel and every unacknowledged message
  /// comes again. At four fifths of it a delivery is handed back to the queue alone, while its handler goes on; its copy
  /// waits for it and is skipped. The server does not tell its limit: set this to its consumer_timeout if that was
  /// changed. 0: there is none. An x-consumer-timeout in `topology` goes before it.
  std::chrono::milliseconds consumer_timeout{30 * 60 * 1000};
  /// With a store of its own (not shared) this process must be the queue's only reader, or a redelivery to another
  /// process has a second effect. An exclusive queue "idem.lock." + queue keeps other idem processes out, and a queue
  /// that has any other consumer is refused. start() waits this long for them to leave, for other consumers at least
  /// 5 s. A reconnect waits three heartbeats: one's own dead connection may still hold it.
  std::chrono::milliseconds wait_for_queue{5'000};
};

/// What has happened between a RabbitSource and its server since the start, beside messages. Each is logged, too.
struct RabbitIncidents {
  std::uint64_t cancelled = 0;           ///< the server cancelled the consumer: its queue was deleted, or its node went
  std::uint64_t channels_closed = 0;     ///< by the server
  std::uint64_t connections_closed = 0;  ///< by the server, with a reason
  std::uint64_t connections_lost = 0;    ///< without one: broken, or silent for two heartbeats
  std::uint64_t given_back = 0;          ///< times that everything was, for want of room (Budget::bytes)
  std::uint64_t reconnected = 0;
  std::uint64_t failed_attempts = 0;     ///< to connect again
  std::uint64_t blocked = 0;             ///< the server told that it blocks publishers (memory or disk alarm)
  std::uint64_t unblocked = 0;
  std::uint64_t handed_back = 0;         ///< deliveries that neared consumer_timeout
};

class RabbitSource final : public Source {
 public:
  explicit RabbitSource(RabbitOptions options);
  ~RabbitSource() override;

  SourceTraits traits() const override;
  void start(SourceEvents& events, const SourceContext& context) override;
  void poll(std::chrono::milliseconds wait, std::size_t limit) override;
  void wake() override;
  void set_paused(PartitionHandle partition, bool paused) override;
  void seek(PartitionHandle before, const StartAt& start) override;
  void commit(std::span<const Commit> commits, bool wait) override;
  void acknowledge(PartitionHandle partition, std::span<const std::int64_t> offsets) override;
  void keep_alive() override;
  /// Messages ready in the queue and unacknowledged here, as the server said a moment ago.
  std::optional<std::int64_t> lag(PartitionHandle partition, std::int64_t next) const override;
  void stop() override;

  /// From any thread, at any time.
  RabbitIncidents incidents() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace idem
