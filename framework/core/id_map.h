// A map by ids, which are keyed hashes already, and how to ask it for many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <idem/store.h>

#include "core/flat_map.h"

namespace idem::core {

struct IdKeyHash {
  std::uint64_t operator()(const IdKey& key) const { return key.low; }
};

template <class Value>
using IdMap = FlatMap<IdKey, Value, IdKeyHash>;

/// Calls use(0) … use(count - 1), and fetch(i) some of them ahead: what use(i) reads is on its way from memory then.
template <class Fetch, class Use>
void fetched_ahead(std::size_t count, Fetch fetch, Use use) {
  constexpr std::size_t window = 32;
  for (std::size_t begin = 0; begin < count; begin += window) {
    const std::size_t end = std::min(begin + window, count);
    for (std::size_t i = begin; i < end; ++i) fetch(i);
    for (std::size_t i = begin; i < end; ++i) use(i);
  }
}

}  // namespace idem::core
