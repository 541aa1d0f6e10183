#include "publishers/message_id.h"

#include <sys/random.h>

#include <cerrno>
#include <chrono>
#include <system_error>

namespace idem::publish {
namespace {

template <class Bytes>
Bytes random() {
  Bytes bytes;
  if (getrandom(&bytes, sizeof bytes, 0) != sizeof bytes)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return bytes;
}

/// RFC 9562: 48 bits of time, the version, 12 bits, the variant, 62 bits.
Uuid version_7(std::uint64_t twelve_bits, std::uint64_t sixty_two_bits) {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  const auto now =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
  const std::uint64_t high = now << 16 | 0x7000 | (twelve_bits & 0xfff);
  const std::uint64_t low = 0x8000'0000'0000'0000 | (sixty_two_bits & 0x3fff'ffff'ffff'ffff);
  Uuid uuid;
  for (int i = 0; i < 8; ++i) {
    uuid[i] = static_cast<unsigned char>(high >> (56 - 8 * i));
    uuid[8 + i] = static_cast<unsigned char>(low >> (56 - 8 * i));
  }
  return uuid;
}

}  // namespace

std::string text_of_uuid(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
  char* out = text.data();
  for (std::size_t i = 0; i < 16; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (*out == '-') ++out;
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
  }
  return text;
}

// The kernel is asked for each id: a buffer of random bytes would be the same in both processes after a fork, and two
// messages with one id are one message to whoever drops copies.
std::string new_message_id() {
  struct Random {
    std::uint64_t high, low;
  };
  const auto [high, low] = random<Random>();
  return text_of_uuid(bytes_of(version_7(high, low)));
}

MessageIds::MessageIds() : prefix_(random<std::uint64_t>()), count_(random<std::uint64_t>()) {}

Uuid MessageIds::next() { return version_7(prefix_, count_++); }

}  // namespace idem::publish
