// A message's headers as one blob.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <idem/message.h>

namespace idem::sqlite {

using OwnedHeaders = std::vector<std::pair<std::string, std::optional<std::string>>>;

std::string encode_headers(std::span<const Header> headers);
std::string encode_headers(const OwnedHeaders& headers);
/// Throws std::runtime_error on anything encode_headers() has not made.
OwnedHeaders decode_headers(std::string_view bytes);

}  // namespace idem::sqlite
