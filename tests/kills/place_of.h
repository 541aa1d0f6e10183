// Where a message lay.
#pragma once

#include <idem/message.h>

#include <cstdint>
#include <string>

namespace idem::kills {

// A queue gives no position: there the message says itself where it lay.
inline std::int64_t place_of(const Message& message) {
  const auto place = message.header("place");
  return place ? std::stoll(std::string(*place)) : message.offset;
}

}  // namespace idem::kills
