#include "sqlite/id_lookup.h"

#include <algorithm>
#include <vector>

#include "sqlite/id_rows.h"
#include "sqlite/key_bytes.h"
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

bool is_claimed(Connection& connection, std::int64_t consumer, const IdKey& key) {
  Statement find(connection, "SELECT 1 FROM idem_claim WHERE consumer = ? AND id_key = ?");
  return find.rows(consumer, KeyBytes(key).blob()).next();
}

}  // namespace idem::sqlite
