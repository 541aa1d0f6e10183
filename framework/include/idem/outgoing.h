// A message that a handler sends through the outbox.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace idem {

struct OutgoingMessage {
  /// Kafka: chooses the partition. RabbitMQ: the routing key, unless the destination has one of its own. Messages of one
  /// key keep their order.
  std::optional<std::string> key;
  std::optional<std::string> payload = "";  ///< nullopt: Kafka's null payload (tombstone); RabbitMQ: an empty one
  /// How its consumers know it, the same each time it is sent. Empty: a UUID, made when the row is written.
  std::string id;
  /// RabbitMQ has no header without a value, and no name twice: "" and the last one then.
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

}  // namespace idem
