// Byte strings one behind the other in a blob: each has its length before it, four bytes, little-endian.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace idem::sqlite {

void put_field(std::string& out, std::optional<std::string_view> bytes);
/// Takes the first one off `in`. Throws std::runtime_error if there is no whole one.
std::optional<std::string_view> take_field(std::string_view& in);
/// The same of one that has a value.
std::string_view take_bytes(std::string_view& in);

/// Where most are short: the length takes one byte up to 126, two up to 16,382, and so on.
inline std::size_t short_field_size(const std::optional<std::string_view>& bytes) {
  std::size_t size = 1;
  if (!bytes) return size;
  for (std::size_t rest = (bytes->size() + 1) >> 7; rest != 0; rest >>= 7) ++size;
  return size + bytes->size();
}
/// Writes at `to`, where there are short_field_size() bytes, and returns what is behind them.
inline char* put_short_field(char* to, const std::optional<std::string_view>& bytes) {
  std::size_t rest = bytes ? bytes->size() + 1 : 0;
  for (; rest > 0x7f; rest >>= 7) *to++ = static_cast<char>(rest & 0x7f);
  *to++ = static_cast<char>(rest | 0x80);
  return bytes ? std::copy(bytes->begin(), bytes->end(), to) : to;
}
std::optional<std::string_view> take_short_field(std::string_view& in);

}  // namespace idem::sqlite
