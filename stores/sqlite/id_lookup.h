// Whether an id is remembered, asked of the file itself: by somebody who does not own it and has no IdIndex in memory.
#pragma once

#include <cstdint>
#include <optional>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// A generation that remembers an id.
struct Remembering {
  std::int64_t generation = 0;
  std::optional<Timestamp> from, to;
};

/// The newest one. A row for each run and all of the tails are read: their size is bounded by ids_in_memory. Inside of
/// a transaction, for an id moves from one place to another.
std::optional<Remembering> find_remembering(Connection& connection, std::int64_t consumer, const IdKey& key);

/// What there is in idem_claim.
enum class Claimed { no, yes, forgotten };
Claimed find_claim(Connection& connection, std::int64_t consumer, const IdKey& key);

/// Whether a message of the id ended in the parking lot, also if it has been dropped since, and not because of a conflict.
/// What ended there before the id was forgotten by hand is not asked for. For this version's schema.
bool was_parked(Connection& connection, std::int64_t consumer, const IdKey& key);
/// The highest number of a parked message when the id was last forgotten by hand; 0: never. From schema 6 on.
std::int64_t parked_before_forgotten(Connection& connection, std::int64_t consumer, const IdKey& key);

}  // namespace idem::sqlite
