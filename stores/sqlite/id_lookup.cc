#include "sqlite/id_lookup.h"

#include <algorithm>
#include <vector>

#include "sqlite/id_rows.h"
#include "sqlite/key_bytes.h"
#include "sqlite/parked_rows.h"
#include "sqlite/schema.h"
#include "sqlite/values.h"

namespace idem::sqlite {
namespace {

bool remembers(Connection& connection, std::int64_t generation, const IdKey& key) {
  IdRows ids(connection, generation);
  std::int64_t tail_from = 0;
  Statement runs(connection, "SELECT run, buckets, tail_end FROM idem_id_run WHERE generation = ?");
  for (auto rows = runs.rows(generation); rows.next();) {
    if (ids.find(IdRows::number(rows.integer(0), bucket_of(key, rows.integer(1))), key)) return true;
    tail_from = std::max(tail_from, rows.integer(2));
  }
  bool found = false;
  ids.each_in_tail(tail_from, [&](std::int64_t, const IdEntry& entry) { found = found || entry.key == key; });
  return found;
}

}  // namespace

std::optional<Remembering> find_remembering(Connection& connection, std::int64_t consumer, const IdKey& key) {
  Statement all(connection,
                "SELECT number, start, newest FROM idem_generation WHERE consumer = ? ORDER BY number DESC");
  for (auto rows = all.rows(consumer); rows.next();)
    if (remembers(connection, rows.integer(0), key))
      return Remembering{rows.integer(0), maybe_time_of(rows, 1), maybe_time_of(rows, 2)};
  return std::nullopt;
}

Claimed find_claim(Connection& connection, std::int64_t consumer, const IdKey& key) {
  const bool may_be_forgotten = stored_version(connection) >= first_schema_with_results;
  Statement find(connection, std::string("SELECT ") + (may_be_forgotten ? "forgotten" : "0") +
                                 " FROM idem_claim WHERE consumer = ? AND id_key = ?");
  const KeyBytes bytes(key);  // SQLite reads them until the rows are through
  auto rows = find.rows(consumer, bytes.blob());
  if (!rows.next()) return Claimed::no;
  return rows.integer(0) != 0 ? Claimed::forgotten : Claimed::yes;
}

bool was_parked(Connection& connection, std::int64_t consumer, const IdKey& key) {
  Statement find(connection,
                 "SELECT reason FROM idem_parked WHERE id_key = ?1 AND consumer = ?2 AND number > ?3 UNION ALL "
                 "SELECT reason FROM idem_audit WHERE id_key = ?1 AND consumer = ?2 AND parked > ?3 AND what = 'drop'");
  const std::string id_key = parked_id_key(key);
  for (auto rows = find.rows(Blob{id_key}, consumer, parked_before_forgotten(connection, consumer, key)); rows.next();)
    if (park_reason(rows.text(0)) != ParkReason::id_conflict) return true;
  return false;
}

std::int64_t parked_before_forgotten(Connection& connection, std::int64_t consumer, const IdKey& key) {
  Statement find(connection,
                 "SELECT coalesce(max(parked), 0) FROM idem_audit WHERE id_key = ? AND consumer = ? AND what = 'forget'");
  const std::string id_key = parked_id_key(key);
  auto rows = find.rows(Blob{id_key}, consumer);
  rows.next();
  return rows.integer(0);
}

}  // namespace idem::sqlite
