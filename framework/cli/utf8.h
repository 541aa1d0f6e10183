// Which bytes are text.
#pragma once

#include <cstddef>
#include <string_view>

namespace idem::cli {

/// The code point that `bytes` begins with and how many bytes it has; 0 bytes: they begin with no valid UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;
};
CodePoint first_code_point(std::string_view bytes);

bool is_utf8(std::string_view bytes);

}  // namespace idem::cli
