// An IdKey as it lies in the file: big-endian, so that the order of a table is the order of IdKeys.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

class KeyBytes {
 public:
  explicit KeyBytes(const IdKey& key) {
    for (int i = 0; i < 8; ++i) {
      bytes_[static_cast<std::size_t>(i)] = static_cast<char>(key.high >> (56 - 8 * i));
      bytes_[static_cast<std::size_t>(i + 8)] = static_cast<char>(key.low >> (56 - 8 * i));
    }
  }
  Blob blob() const { return {{bytes_.data(), bytes_.size()}}; }

 private:
  std::array<char, 16> bytes_;
};

inline IdKey key_of(std::string_view bytes) {
  IdKey key;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::uint64_t& half = i < 8 ? key.high : key.low;
    half = half << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return key;
}

}  // namespace idem::sqlite
