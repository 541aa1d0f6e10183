// "Certainly not seen" without touching the disk: a Bloom filter that grows with what it holds.
//
// Nearly every id is new, and a new id would otherwise cost a search in every generation's table. 12 bits an id, six
// of them set in one cache line: a new id is taken for a known one about once in 200 times, which costs one search.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <idem/store.h>

namespace idem::sqlite {

class IdFilter {
 public:
  void add(const IdKey& key);
  /// False: it was never added.
  bool may_hold(const IdKey& key) const;

 private:
  using Block = std::array<std::uint64_t, 8>;  // one cache line
  struct Layer {
    std::vector<Block> blocks;
    std::size_t room;  // ids it still takes
  };
  void grow();

  std::vector<Layer> layers_;  // each twice as large as the one before; the last one takes new ids
};

}  // namespace idem::sqlite
