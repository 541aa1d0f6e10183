#include "sqlite/id_migration.h"

#include <cstdint>
#include <string>
#include <vector>

#include "sqlite/id_rows.h"
#include "sqlite/key_bytes.h"

namespace idem::sqlite {
namespace {

constexpr std::int64_t run = 1;

std::size_t count(Connection& connection, const std::string& table) {
  Statement count(connection, "SELECT count(*) FROM " + table);
  auto rows = count.rows();
  rows.next();
  return static_cast<std::size_t>(rows.integer(0));
}

// The old table is in the order of its keys, which is that of the buckets.
void seal(Connection& connection, const std::string& old, std::size_t ids, IdRows& rows) {
  IdRows::SealedRun sealed{run, buckets_for(ids), 0, IdFilter(ids)};
  std::int64_t bucket = 0;
  std::string bytes;
  const auto write_until = [&](std::int64_t next) {
    for (; bucket < next; ++bucket, bytes.clear()) rows.insert(IdRows::number(run, bucket), bytes);
  };
  Statement all(connection, "SELECT key, fingerprint FROM " + old + " ORDER BY key");
  for (auto row = all.rows(); row.next();) {
    const IdKey key = key_of(row.text(0));
    write_until(bucket_of(key, sealed.buckets));
    append_entry(bytes, {key, static_cast<std::uint64_t>(row.integer(1))});
    sealed.filter.add(key);
  }
  write_until(sealed.buckets);
  rows.seal(sealed, ids);
}

void seal_generation(Connection& connection, std::int64_t generation) {
  const std::string table = IdRows::table(generation), old = table + "_old";
  connection.exec("ALTER TABLE " + table + " RENAME TO " + old);
  IdRows::create_table(connection, generation);
  IdRows rows(connection, generation);
  if (const std::size_t ids = count(connection, old); ids > 0) seal(connection, old, ids, rows);
  connection.exec("DROP TABLE " + old);
}

}  // namespace

void seal_all_ids(Connection& connection) {
  connection.exec(R"(
    CREATE TABLE idem_id_run (
      generation  INTEGER NOT NULL,
      run         INTEGER NOT NULL,
      buckets     INTEGER NOT NULL,
      ids         INTEGER NOT NULL,
      tail_end    INTEGER NOT NULL,
      filter      BLOB NOT NULL,
      PRIMARY KEY (generation, run)
    ) STRICT)");
  std::vector<std::int64_t> generations;
  Statement all(connection, "SELECT number FROM idem_generation");
  for (auto rows = all.rows(); rows.next();) generations.push_back(rows.integer(0));
  for (const std::int64_t generation : generations) seal_generation(connection, generation);
}

}  // namespace idem::sqlite
