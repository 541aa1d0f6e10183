// "Certainly not in this run" without touching the disk: a Bloom filter of a run's ids.
//
// Nearly every id is new, and a new id would otherwise cost a search in every run. 12 bits an id, six of them set in
// one cache line: a new id is taken for a known one about once in 200 times, which costs one search.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <idem/store.h>

namespace idem::sqlite {

class IdFilter {
 public:
  /// An empty one, for so many ids.
  explicit IdFilter(std::size_t ids);
  /// What bytes() gave. Throws SqlError (corrupt) if it cannot be that.
  explicit IdFilter(std::string_view bytes);

  void add(const IdKey& key);
  /// False: it was never added.
  bool may_hold(const IdKey& key) const;
  /// The key is about to be asked for.
  void prefetch(const IdKey& key) const { __builtin_prefetch(&blocks_[block_of(key)]); }

  /// To be kept in the file, the same on every machine.
  std::string bytes() const;

 private:
  using Block = std::array<std::uint64_t, 8>;  // one cache line
  std::size_t block_of(const IdKey& key) const;

  std::vector<Block> blocks_;  // at least one
};

}  // namespace idem::sqlite
