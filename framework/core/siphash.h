// SipHash-2-4: a keyed hash that cannot be made to collide without the key (Aumasson and Bernstein, 2012). Ids come
// from outside, so an unkeyed hash would let whoever writes messages make one id look like another.
#pragma once

#include <cstdint>
#include <string_view>

#include <idem/store.h>

namespace idem::core {

/// 128 bits for ids.
IdKey siphash128(const HashKey& key, std::string_view bytes);
/// 64 bits for fingerprints.
std::uint64_t siphash64(const HashKey& key, std::string_view bytes);

}  // namespace idem::core
