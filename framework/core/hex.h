// Bytes as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace idem::core {

/// Two digits a byte, 0-9 and a-f.
inline std::string hex(std::span<const std::uint8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

}  // namespace idem::core
