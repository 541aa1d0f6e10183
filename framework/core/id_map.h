// A map by ids, which are keyed hashes already.
#pragma once

#include <cstdint>

#include <idem/store.h>

#include "core/flat_map.h"

namespace idem::core {

struct IdKeyHash {
  std::uint64_t operator()(const IdKey& key) const { return key.low; }
};

template <class Value>
using IdMap = FlatMap<IdKey, Value, IdKeyHash>;

}  // namespace idem::core
