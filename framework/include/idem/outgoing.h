// A message that a handler sends through the outbox.
#pragma once

#include <cstddef>
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

  /// Bytes of all of it.
  std::size_t size() const {
    std::size_t size = id.size() + (key ? key->size() : 0) + (payload ? payload->size() : 0);
    for (const auto& [name, value] : headers) size += name.size() + (value ? value->size() : 0);
    return size;
  }
};

}  // namespace idem
