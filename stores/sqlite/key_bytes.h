// An IdKey as it lies in the file: big-endian, so that the order of the bytes is the order of IdKeys.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

inline std::uint64_t big_endian(std::uint64_t number) {
  return std::endian::native == std::endian::big ? number : __builtin_bswap64(number);
}

inline void append_number(std::string& bytes, std::uint64_t number) {
  number = big_endian(number);
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

/// Of the first eight bytes.
inline std::uint64_t number_at(std::string_view bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof(number));
  return big_endian(number);
}

class KeyBytes {
 public:
  explicit KeyBytes(const IdKey& key) : bytes_{big_endian(key.high), big_endian(key.low)} {}
  Blob blob() const { return {{reinterpret_cast<const char*>(bytes_), sizeof(bytes_)}}; }

 private:
  std::uint64_t bytes_[2];
};

/// Of the first sixteen bytes.
inline IdKey key_of(std::string_view bytes) { return {number_at(bytes), number_at(bytes.substr(8))}; }

/// Which of `shares` equal parts of all numbers it lies in; rises with the number.
inline std::size_t share_of(std::uint64_t number, std::size_t shares) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((static_cast<Wide>(number) * shares) >> 64);
}

}  // namespace idem::sqlite
