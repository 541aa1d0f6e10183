#include "sqlite/header_bytes.h"

#include "sqlite/byte_fields.h"

namespace idem::sqlite {

std::string encode_headers(std::span<const Header> headers) {
  std::string out;
  for (const Header& header : headers) {
    put_field(out, header.name);
    put_field(out, header.value);
  }
  return out;
}

std::string encode_headers(const OwnedHeaders& headers) {
  std::string out;
  for (const auto& [name, value] : headers) {
    put_field(out, name);
    put_field(out, value);
  }
  return out;
}

OwnedHeaders decode_headers(std::string_view bytes) {
  OwnedHeaders headers;
  while (!bytes.empty()) {
    std::string name(take_bytes(bytes));
    const auto value = take_field(bytes);
    headers.emplace_back(std::move(name), value ? std::optional<std::string>(*value) : std::nullopt);
  }
  return headers;
}

}  // namespace idem::sqlite
