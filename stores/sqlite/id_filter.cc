#include "sqlite/id_filter.h"

#include <sqlite3.h>

#include "sqlite/connection.h"
#include "sqlite/key_bytes.h"

namespace idem::sqlite {
namespace {

constexpr std::size_t bits_per_id = 12;
constexpr std::size_t bits_per_block = 512;
constexpr std::size_t bytes_per_block = bits_per_block / 8;

// Nine bits at a time of the key's upper half pick bits in a block.
template <class Visit>
void each_bit(const IdKey& key, Visit&& visit) {
  for (unsigned shift = 0; shift < 54; shift += 9) {
    const std::uint64_t bit = (key.high >> shift) & (bits_per_block - 1);
    visit(bit / 64, std::uint64_t{1} << (bit % 64));
  }
}

}  // namespace

IdFilter::IdFilter(std::size_t ids) : blocks_(ids * bits_per_id / bits_per_block + 1) {}

IdFilter::IdFilter(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % bytes_per_block != 0)
    throw SqlError(SQLITE_CORRUPT, "the filter of a run of ids is damaged");
  blocks_.resize(bytes.size() / bytes_per_block);
  for (Block& block : blocks_)
    for (std::uint64_t& word : block) {
      word = number_at(bytes);
      bytes.remove_prefix(sizeof(word));
    }
}

std::string IdFilter::bytes() const {
  std::string bytes;
  bytes.reserve(blocks_.size() * bytes_per_block);
  for (const Block& block : blocks_)
    for (const std::uint64_t word : block) append_number(bytes, word);
  return bytes;
}

// The keys are hashes already: the lower half picks the block.
std::size_t IdFilter::block_of(const IdKey& key) const { return share_of(key.low, blocks_.size()); }

void IdFilter::add(const IdKey& key) {
  Block& block = blocks_[block_of(key)];
  each_bit(key, [&](std::size_t word, std::uint64_t bit) { block[word] |= bit; });
}

bool IdFilter::may_hold(const IdKey& key) const {
  const Block& block = blocks_[block_of(key)];
  std::uint64_t missing = 0;
  each_bit(key, [&](std::size_t word, std::uint64_t bit) { missing |= bit & ~block[word]; });
  return missing == 0;
}

}  // namespace idem::sqlite
