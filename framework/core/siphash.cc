#include "core/siphash.h"

#include <bit>
#include <cstring>

namespace idem::core {
namespace {

static_assert(std::endian::native == std::endian::little, "idem's on-disk keys assume a little-endian machine");

std::uint64_t load(const void* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

struct Sip {
  std::uint64_t v0, v1, v2, v3;

  Sip(const HashKey& key, bool wide) {
    const std::uint64_t k0 = load(key.data()), k1 = load(key.data() + 8);
    v0 = k0 ^ 0x736f6d6570736575u;
    v1 = k1 ^ 0x646f72616e646f6du;
    v2 = k0 ^ 0x6c7967656e657261u;
    v3 = k1 ^ 0x7465646279746573u;
    if (wide) v1 ^= 0xee;
  }

  void round() {
    v0 += v1; v1 = std::rotl(v1, 13); v1 ^= v0; v0 = std::rotl(v0, 32);
    v2 += v3; v3 = std::rotl(v3, 16); v3 ^= v2;
    v0 += v3; v3 = std::rotl(v3, 21); v3 ^= v0;
    v2 += v1; v1 = std::rotl(v1, 17); v1 ^= v2; v2 = std::rotl(v2, 32);
  }

  void word(std::uint64_t m) {
    v3 ^= m;
    round();
    round();
    v0 ^= m;
  }

  void absorb(std::string_view bytes) {
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) word(load(bytes.data() + i));
    std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
    for (unsigned shift = 0; i < bytes.size(); ++i, shift += 8)
      last |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << shift;
    word(last);
  }

  std::uint64_t digest() {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

std::uint64_t siphash64(const HashKey& key, std::string_view bytes) {
  Sip state(key, false);
  state.absorb(bytes);
  state.v2 ^= 0xff;
  return state.digest();
}

IdKey siphash128(const HashKey& key, std::string_view bytes) {
  Sip state(key, true);
  state.absorb(bytes);
  state.v2 ^= 0xee;
  IdKey id;
  id.high = state.digest();
  state.v1 ^= 0xdd;
  id.low = state.digest();
  return id;
}

}  // namespace idem::core
