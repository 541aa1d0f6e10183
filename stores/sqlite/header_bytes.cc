#include "sqlite/header_bytes.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace idem::sqlite {
namespace {

// Lengths are four bytes, little-endian; the length of a header without a value is no_value.
constexpr std::uint32_t no_value = UINT32_MAX;

void put_length(std::string& out, std::uint32_t length) {
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
}

std::uint32_t take_length(std::string_view& in) {
  std::uint32_t length = 0;
  if (in.size() < sizeof length) throw std::runtime_error("idem: stored headers are damaged");
  std::memcpy(&length, in.data(), sizeof length);
  in.remove_prefix(sizeof length);
  return length;
}

std::string take_bytes(std::string_view& in, std::uint32_t length) {
  if (in.size() < length) throw std::runtime_error("idem: stored headers are damaged");
  std::string bytes(in.substr(0, length));
  in.remove_prefix(length);
  return bytes;
}

template <class Value>
void put(std::string& out, std::string_view name, const Value& value) {
  put_length(out, static_cast<std::uint32_t>(name.size()));
  out += name;
  put_length(out, value ? static_cast<std::uint32_t>(value->size()) : no_value);
  if (value) out += *value;
}

}  // namespace

std::string encode_headers(std::span<const Header> headers) {
  std::string out;
  for (const Header& header : headers) put(out, header.name, header.value);
  return out;
}

std::string encode_headers(const OwnedHeaders& headers) {
  std::string out;
  for (const auto& [name, value] : headers) put(out, name, value);
  return out;
}

OwnedHeaders decode_headers(std::string_view bytes) {
  OwnedHeaders headers;
  while (!bytes.empty()) {
    std::string name = take_bytes(bytes, take_length(bytes));
    const std::uint32_t length = take_length(bytes);
    if (length == no_value)
      headers.emplace_back(std::move(name), std::nullopt);
    else
      headers.emplace_back(std::move(name), take_bytes(bytes, length));
  }
  return headers;
}

}  // namespace idem::sqlite
