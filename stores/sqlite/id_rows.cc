#include "sqlite/id_rows.h"

#include <sqlite3.h>

#include "sqlite/key_bytes.h"

namespace idem::sqlite {
namespace {

constexpr std::size_t ids_per_bucket = 128;

IdKey key_at(std::string_view bytes, std::size_t index) { return key_of(bytes.substr(index * bytes_per_id)); }

}  // namespace

void append_entry(std::string& bytes, const IdEntry& entry) {
  append_number(bytes, entry.key.high);
  append_number(bytes, entry.key.low);
  append_number(bytes, entry.fingerprint);
}

IdEntry entry_at(std::string_view bytes, std::size_t index) {
  return {key_at(bytes, index), number_at(bytes.substr(index * bytes_per_id + 16))};
}

std::optional<std::uint64_t> find_fingerprint(std::string_view bucket, const IdKey& key) {
  if (bucket.size() % bytes_per_id != 0) throw SqlError(SQLITE_CORRUPT, "a bucket of ids is damaged");
  std::size_t low = 0, high = bucket.size() / bytes_per_id;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const IdEntry entry = entry_at(bucket, middle);
    if (entry.key == key) return entry.fingerprint;
    if (entry.key < key) low = middle + 1;
    else high = middle;
  }
  return std::nullopt;
}

std::int64_t buckets_for(std::size_t ids) { return static_cast<std::int64_t>(ids / ids_per_bucket + 1); }

std::int64_t bucket_of(const IdKey& key, std::int64_t buckets) {
  return static_cast<std::int64_t>(share_of(key.high, static_cast<std::size_t>(buckets)));
}

IdRows::IdRows(Connection& connection, std::int64_t generation)
    : connection_(connection),
      generation_(generation),
      insert_(connection, "INSERT INTO " + table(generation) + " VALUES (?, ?)"),
      erase_(connection, "DELETE FROM " + table(generation) + " WHERE number >= ? AND number < ?"),
      find_(connection, "SELECT ids FROM " + table(generation) + " WHERE number = ?") {}

void IdRows::create_table(Connection& connection, std::int64_t generation) {
  connection.exec("CREATE TABLE " + table(generation) + " (number INTEGER PRIMARY KEY, ids BLOB NOT NULL) STRICT");
}

void IdRows::drop_table(Connection& connection, std::int64_t generation) {
  connection.exec("DROP TABLE " + table(generation));
  Statement runs(connection, "DELETE FROM idem_id_run WHERE generation = ?");
  runs.run(generation);
}

void IdRows::insert(std::int64_t number, std::string_view ids) { insert_.run(number, Blob{ids}); }

void IdRows::erase(RowRange rows) { erase_.run(rows.from, rows.to); }

std::optional<std::uint64_t> IdRows::find(std::int64_t number, const IdKey& key) {
  auto rows = find_.rows(number);
  if (!rows.next()) throw SqlError(SQLITE_CORRUPT, "a bucket of a run of ids is missing");
  return find_fingerprint(rows.text(0), key);
}

void IdRows::seal(const SealedRun& sealed, std::size_t ids) {
  Statement insert(connection_,
                   "INSERT INTO idem_id_run (generation, run, buckets, ids, tail_end, filter) VALUES (?, ?, ?, ?, ?, ?)");
  const std::string filter = sealed.filter.bytes();
  insert.run(generation_, sealed.run, sealed.buckets, ids, sealed.tail_end, Blob{filter});
}

std::vector<IdRows::SealedRun> IdRows::sealed_runs() {
  std::vector<SealedRun> runs;
  Statement all(connection_,
                "SELECT run, buckets, tail_end, filter FROM idem_id_run WHERE generation = ? ORDER BY run");
  for (auto rows = all.rows(generation_); rows.next();)
    runs.push_back({rows.integer(0), rows.integer(1), rows.integer(2), IdFilter(rows.text(3))});
  return runs;
}

std::int64_t IdRows::last_run() {
  Statement last(connection_, "SELECT coalesce(max(number), 0) FROM " + table(generation_));
  auto rows = last.rows();
  rows.next();
  return run_of(rows.integer(0));
}

RowRange IdRows::rows_between(std::int64_t from, std::int64_t to) {
  Statement ends(connection_, "SELECT min(number), max(number) FROM " + table(generation_) +
                                  " WHERE number >= ? AND number < ?");
  auto rows = ends.rows(from, to);
  if (!rows.next() || rows.is_null(0)) return {};
  return {rows.integer(0), rows.integer(1) + 1};
}

}  // namespace idem::sqlite
