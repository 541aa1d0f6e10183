// RFC 4648, with padding.
#pragma once

#include <string>
#include <string_view>

namespace idem::cli {

std::string to_base64(std::string_view bytes);
/// Throws std::invalid_argument if it is none.
std::string from_base64(std::string_view text);

}  // namespace idem::cli
