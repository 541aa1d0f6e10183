#include "core/idempotency_key.h"

#include <span>

#include "core/hex.h"
#include "core/sha256.h"

namespace idem::core {

std::string idempotency_key(std::string_view consumer, std::string_view id) {
  // The length keeps ("a", "bc") and ("ab", "c") apart, whatever bytes are in them.
  std::string text = std::to_string(consumer.size()) + ' ';
  text += consumer;
  text += id;
  const auto digest = sha256(text);
  return hex(std::span(digest).first(16));
}

std::string id_of_position(const Message& message) {
  return std::string(message.topic) + '/' + std::to_string(message.partition) + '/' + std::to_string(message.offset);
}

}  // namespace idem::core
