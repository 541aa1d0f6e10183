// The bytes that libFuzzer chose, taken piece by piece, and how a broken promise is reported.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace idem::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  /// 0 when there is nothing left.
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const char first = rest_.front();
    rest_.remove_prefix(1);
    return static_cast<std::uint8_t>(first);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  /// As long as its first byte says, doubled `doublings` times, or as there is left.
  std::string_view text(int doublings = 0) {
    const std::size_t size = std::min(rest_.size(), static_cast<std::size_t>(byte()) << doublings);
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

/// Ends the process, which libFuzzer takes for a finding, unless `kept`.
inline void promise(bool kept, const char* what, std::string_view about) {
  if (kept) return;
  std::fprintf(stderr, "BROKEN: %s: ", what);
  for (const char c : about)
    std::fprintf(stderr, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace idem::fuzz
