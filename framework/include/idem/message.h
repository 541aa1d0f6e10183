// A message as a handler sees it: no broker type, no ownership.
//
// Every view in a Message borrows from the runtime and is valid until `handle` returns. A handler that needs
// bytes for longer copies them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace idem {

/// Milliseconds since the Unix epoch, as brokers stamp messages.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

struct Header {
  std::string_view name;
  std::optional<std::string_view> value;  ///< nullopt: the header is there and has no value (Kafka allows it)
};

struct Message {
  std::string_view topic;                    ///< Kafka topic or RabbitMQ queue
  std::int32_t partition = 0;                ///< Kafka partition
  std::int64_t offset = 0;                   ///< position in the partition's log
  std::optional<std::string_view> key;       ///< nullopt: no key, which is not the same as an empty one
  std::optional<std::string_view> payload;   ///< nullopt: a null payload (tombstone), not the same as an empty one
  std::span<const Header> headers;           ///< in the order the producer wrote them; names may repeat
  std::optional<Timestamp> timestamp;        ///< nullopt: the broker sent none
  std::string_view id;                       ///< what the runtime knows this message by; empty with id_from_position()
  int attempt = 1;                           ///< 1 on the first call; counts calls in this process, and
                                             ///< those before a long delay

  /// The payload as text; empty for a null payload.
  std::string_view text() const { return payload.value_or(std::string_view{}); }

  /// The value of the last header of that name (the last one wins, as in Kafka's own clients).
  /// nullopt when there is no such header or its value is null.
  std::optional<std::string_view> header(std::string_view name) const {
    for (auto it = headers.rbegin(); it != headers.rend(); ++it)
      if (it->name == name) return it->value;
    return std::nullopt;
  }
};

}  // namespace idem
