#include "sqlite/id_filter.h"

#include <algorithm>

namespace idem::sqlite {
namespace {

constexpr std::size_t first_layer = 1 << 16;
constexpr std::size_t bits_per_id = 12;
constexpr std::size_t bits_per_block = 512;

// The keys are hashes already: one half picks the block, nine bits at a time of the other half pick bits in it.
std::size_t block_of(const IdKey& key, std::size_t blocks) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((static_cast<Wide>(key.low) * blocks) >> 64);
}

std::array<std::uint64_t, 8> bits_of(const IdKey& key) {
  std::array<std::uint64_t, 8> bits{};
  for (unsigned shift = 0; shift < 54; shift += 9) {
    const std::uint64_t bit = (key.high >> shift) & (bits_per_block - 1);
    bits[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  return bits;
}

}  // namespace

void IdFilter::add(const IdKey& key) {
  if (layers_.empty() || layers_.back().room == 0) grow();
  Layer& layer = layers_.back();
  --layer.room;
  Block& block = layer.blocks[block_of(key, layer.blocks.size())];
  const auto bits = bits_of(key);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] |= bits[i];
}

bool IdFilter::may_hold(const IdKey& key) const {
  const auto bits = bits_of(key);
  return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
    const Block& block = layer.blocks[block_of(key, layer.blocks.size())];
    std::uint64_t missing = 0;
    for (std::size_t i = 0; i < block.size(); ++i) missing |= bits[i] & ~block[i];
    return missing == 0;
  });
}

void IdFilter::grow() {
  const std::size_t ids = first_layer << layers_.size();
  layers_.push_back({std::vector<Block>(ids * bits_per_id / bits_per_block), ids});
}

}  // namespace idem::sqlite
