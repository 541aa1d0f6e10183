// Whether an id is remembered, asked of the file itself: by somebody who does not own it and has no IdIndex in memory.
#pragma once

#include <cstdint>
#include <optional>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// The ids of older schemas lie otherwise.
constexpr std::int64_t first_schema_with_runs = 4;

/// A generation that remembers an id.
struct Remembering {
  std::int64_t generation = 0;
  std::optional<Timestamp> from, to;
};

/// The newest one. A row for each run and all of the tails are read: their size is bounded by ids_in_memory. Inside of
/// a transaction, for an id moves from one place to another.
std::optional<Remembering> find_remembering(Connection& connection, std::int64_t consumer, const IdKey& key);

bool is_claimed(Connection& connection, std::int64_t consumer, const IdKey& key);

}  // namespace idem::sqlite
