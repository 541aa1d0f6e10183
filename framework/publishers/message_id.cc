#include "publishers/message_id.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
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

std::uint64_t milliseconds_now() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
}

std::uint64_t big_endian(std::uint64_t number) {
  return std::endian::native == std::endian::big ? number : __builtin_bswap64(number);
}

constexpr std::array<std::array<char, 2>, 256> two_digits_of_each_byte() {
  constexpr char digits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> hex{};
  for (std::size_t byte = 0; byte < hex.size(); ++byte) hex[byte] = {digits[byte >> 4], digits[byte & 15]};
  return hex;
}

/// RFC 9562: 48 bits of time, the version, 12 bits, the variant, 62 bits.
Uuid version_7(std::uint64_t milliseconds, std::uint64_t twelve_bits, std::uint64_t sixty_two_bits) {
  const std::uint64_t halves[] = {big_endian(milliseconds << 16 | 0x7000 | (twelve_bits & 0xfff)),
                                  big_endian(0x8000'0000'0000'0000 | (sixty_two_bits & 0x3fff'ffff'ffff'ffff))};
  return std::bit_cast<Uuid>(halves);
}

}  // namespace

std::string text_of_uuid(std::string_view bytes) {
  static constexpr auto hex = two_digits_of_each_byte();
  static constexpr std::size_t places[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  std::string text(36, '-');
  for (std::size_t i = 0; i < 16; ++i) {
    const auto& digits = hex[static_cast<unsigned char>(bytes[i])];
    std::memcpy(text.data() + places[i], digits.data(), digits.size());
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
  return text_of_uuid(bytes_of(version_7(milliseconds_now(), high, low)));
}

MessageIds::MessageIds() : prefix_(random<std::uint64_t>()), count_(random<std::uint64_t>()) {}

Uuid MessageIds::next() {
  time_ = milliseconds_now();
  return next_of_same_time();
}

Uuid MessageIds::next_of_same_time() { return version_7(time_, prefix_, count_++); }

Uuid next_after(const Uuid& uuid) {
  auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(uuid);
  halves[1] = big_endian(big_endian(halves[1]) + 1);
  return std::bit_cast<Uuid>(halves);
}

}  // namespace idem::publish
