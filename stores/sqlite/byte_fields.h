// Byte strings one behind the other in a blob: each has its length before it, four bytes, little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace idem::sqlite {

void put_field(std::string& out, std::optional<std::string_view> bytes);
/// Takes the first one off `in`. Throws std::runtime_error if there is no whole one.
std::optional<std::string_view> take_field(std::string_view& in);
/// The same of one that has a value.
std::string_view take_bytes(std::string_view& in);

}  // namespace idem::sqlite
