// What has to exist on a RabbitMQ server, as data: declared at every connect, and compared with what is there.
//
// A declaration says exactly what is given here. If the server has something of that name with another argument, the
// start fails with the argument, both values and the remedy: nothing is ever changed or deleted.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace idem {

/// The value of an argument in AMQP's types.
using RabbitValue = std::variant<bool, std::int64_t, std::string>;
using RabbitArguments = std::map<std::string, RabbitValue>;

struct RabbitExchange {
  std::string name;
  std::string type = "direct";  ///< direct, fanout, topic, headers, or a plugin's
  bool durable = true;          ///< false: gone when the server restarts, with its bindings
  RabbitArguments arguments;
};

struct RabbitQueue {
  enum class Type {
    classic,  ///< on one node: what is in it is as safe as that node's disk
    quorum,   ///< replicated by consensus; what comes back too often is dropped or dead-lettered (delivery_limit)
  };
  std::string name;
  Type type = Type::classic;
  bool durable = true;          ///< false: the queue and what is in it are lost when the server restarts
  /// Where expired, rejected and overflowing messages go. Empty: they are dropped.
  std::string dead_letter_exchange;
  std::string dead_letter_routing_key;                    ///< empty: the message's own
  std::optional<std::chrono::milliseconds> message_ttl;   ///< older ones expire, whether anybody reads or not
  /// Messages at most. Further ones are refused to a publisher with confirms (reject-publish); the server's own default
  /// would drop the oldest ones and confirm the new ones.
  std::optional<std::int64_t> max_length;
  /// Quorum queues only: a message that came back this often goes to the dead-letter exchange, without one it is lost.
  /// Each consumer that dies counts, for everything it had not acknowledged: a service that crashes at every start soon
  /// gets there. Not given, RabbitMQ 3 has no limit and RabbitMQ 4 one of 20; a queue of 4 that has neither this nor a
  /// dead-letter exchange is refused.
  std::optional<std::int64_t> delivery_limit;
  RabbitArguments arguments;    ///< any others, such as x-consumer-timeout
};

struct RabbitBinding {
  std::string exchange, queue, routing_key;
  RabbitArguments arguments;
};

/// Empty (the default): nothing is declared, somebody else owns the topology.
struct RabbitTopology {
  std::vector<RabbitExchange> exchanges;
  std::vector<RabbitQueue> queues;
  std::vector<RabbitBinding> bindings;
};

}  // namespace idem
