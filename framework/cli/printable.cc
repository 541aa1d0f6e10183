#include "cli/printable.h"

#include <algorithm>

#include "cli/utf8.h"
#include "core/hex.h"

namespace idem::cli {
namespace {

/// Obeyed by terminals, or not to be seen: C0, DEL, C1, what separates lines, turns the direction or has no width.
bool is_hidden(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe007f);
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    text += "\\x" + core::hex({&byte, 1});
  }
  return text;
}

std::string escaped(std::string_view character, char32_t value) {
  switch (value) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\\': return "\\\\";
    default: return is_hidden(value) ? hex(character) : std::string(character);
  }
}

}  // namespace

std::string printable(std::string_view bytes, std::size_t longest) {
  std::string text;
  std::size_t columns = 0;
  std::size_t cut = 0;  // where the text ends if it must be cut: there is room for the "…" behind it
  while (!bytes.empty()) {
    const CodePoint next = first_code_point(bytes);
    const std::size_t size = std::max<std::size_t>(next.bytes, 1);
    const std::string piece = next.bytes == 0 ? hex(bytes.substr(0, 1)) : escaped(bytes.substr(0, size), next.value);
    columns += width(piece);
    if (columns > longest) return text.substr(0, cut) + "…";
    text += piece;
    if (columns < longest) cut = text.size();
    bytes.remove_prefix(size);
  }
  return text;
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace idem::cli
