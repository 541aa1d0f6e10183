#include "sqlite/byte_fields.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace idem::sqlite {
namespace {

constexpr std::uint32_t no_value = UINT32_MAX;  // the length of what is not there

std::uint32_t little_endian(std::uint32_t number) {
  return std::endian::native == std::endian::little ? number : __builtin_bswap32(number);
}

[[noreturn]] void damaged() { throw std::runtime_error("idem: what the store has kept of a message is damaged"); }

}  // namespace

void put_field(std::string& out, std::optional<std::string_view> bytes) {
  const std::uint32_t length = little_endian(bytes ? static_cast<std::uint32_t>(bytes->size()) : no_value);
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  if (bytes) out.append(*bytes);
}

std::optional<std::string_view> take_field(std::string_view& in) {
  std::uint32_t length = 0;
  if (in.size() < sizeof length) damaged();
  std::memcpy(&length, in.data(), sizeof length);
  length = little_endian(length);
  in.remove_prefix(sizeof length);
  if (length == no_value) return std::nullopt;
  if (in.size() < length) damaged();
  const std::string_view bytes = in.substr(0, length);
  in.remove_prefix(length);
  return bytes;
}

std::string_view take_bytes(std::string_view& in) {
  const auto bytes = take_field(in);
  if (!bytes) damaged();
  return *bytes;
}

// --- short ones: their length and one, 0 for what is not there; seven bits a byte, the low ones first, the last one marked

std::optional<std::string_view> take_short_field(std::string_view& in) {
  std::uint64_t length = 0;
  for (int shift = 0;; shift += 7) {
    if (in.empty() || shift > 56) damaged();
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    length |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte & 0x80) break;
  }
  if (length == 0) return std::nullopt;
  if (in.size() < --length) damaged();
  const std::string_view bytes = in.substr(0, length);
  in.remove_prefix(length);
  return bytes;
}

}  // namespace idem::sqlite
