#include "sqlite/schema.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

#include "core/hex.h"
#include "runtime/failpoint.h"
#include "sqlite/id_migration.h"
#include "sqlite/outbox_migration.h"
#include "sqlite/result_migration.h"

namespace idem::sqlite {
namespace {

std::array<std::uint8_t, 16> random_bytes() {
  std::array<std::uint8_t, 16> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return bytes;
}

// STRICT and BLOB NOT NULL: SQLite's loose types would make '1.0' equal 1, the text 'abc' differ from the blob
// 'abc', and a key accept NULL twice.
constexpr const char* tables_of_version_1 = R"(
CREATE TABLE idem_store (
  one             INTEGER PRIMARY KEY CHECK (one = 1),
  schema_version  INTEGER NOT NULL,
  store_id        TEXT NOT NULL,
  hash_key        BLOB NOT NULL,
  sequence        INTEGER NOT NULL
) STRICT;

CREATE TABLE idem_consumer (
  consumer     INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  stream_time  INTEGER NOT NULL
) STRICT;

CREATE TABLE idem_partition (
  consumer   INTEGER NOT NULL,
  topic      TEXT NOT NULL,
  partition  INTEGER NOT NULL,
  progress   BLOB NOT NULL,
  origin     TEXT NOT NULL,
  PRIMARY KEY (consumer, topic, partition)
) STRICT, WITHOUT ROWID;

-- Ids live in one table per generation, idem_ids_<number>, so that forgetting is dropping a table (IdRows).
CREATE TABLE idem_generation (
  number    INTEGER PRIMARY KEY,
  consumer  INTEGER NOT NULL,
  start     INTEGER,              -- stream time at its begin; NULL: not known yet
  newest    INTEGER               -- time of its newest record; NULL: none
) STRICT;

CREATE TABLE idem_generation_topic (
  generation  INTEGER NOT NULL,
  topic       TEXT NOT NULL,
  PRIMARY KEY (generation, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE idem_horizon (
  consumer  INTEGER NOT NULL,
  topic     TEXT NOT NULL,
  bound     INTEGER NOT NULL,
  PRIMARY KEY (consumer, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE idem_parked (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  consumer     INTEGER NOT NULL,
  topic        TEXT NOT NULL,
  partition    INTEGER NOT NULL,
  position     INTEGER NOT NULL,
  key          BLOB,
  payload      BLOB,
  headers      BLOB NOT NULL,
  timestamp    INTEGER,
  id           BLOB NOT NULL,
  id_key       BLOB,
  fingerprint  INTEGER NOT NULL,
  reason       TEXT NOT NULL,
  why          TEXT NOT NULL,
  attempts     INTEGER NOT NULL,
  parked_at    INTEGER NOT NULL
) STRICT;

-- A conflict leaves the id's own row as it is, so only this keeps a redelivered one from being parked twice.
CREATE UNIQUE INDEX idem_parked_conflict ON idem_parked (consumer, id_key, fingerprint)
  WHERE reason = 'id_conflict';
)";

constexpr const char* tables_of_version_2 = R"(
CREATE TABLE idem_outbox_destination (
  destination  INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE idem_outbox (
  number       INTEGER PRIMARY KEY,  -- given by the store, never again while it runs
  destination  INTEGER NOT NULL,
  id           ANY NOT NULL,         -- a blob: the 16 bytes of a UUID that idem made; text: as it was given
  key          BLOB,
  payload      BLOB,
  headers      BLOB                  -- NULL: none
) STRICT;

CREATE TABLE idem_outbox_parked (
  number       INTEGER PRIMARY KEY,
  destination  TEXT NOT NULL,
  id           ANY NOT NULL,
  key          BLOB,
  payload      BLOB,
  headers      BLOB,
  why          TEXT NOT NULL,
  parked_at    INTEGER NOT NULL
) STRICT;
)";

constexpr const char* tables_of_version_3 = R"(
-- Calls to somebody outside that were about to be made, and whose end is not recorded.
CREATE TABLE idem_claim (
  consumer     INTEGER NOT NULL,
  id_key       BLOB NOT NULL,
  fingerprint  INTEGER NOT NULL,
  PRIMARY KEY (consumer, id_key)
) STRICT, WITHOUT ROWID;
)";

constexpr const char* tables_of_version_6 = R"(
-- What people have changed by hand: who, when, why, what. The message it was about, if it was one, without its payload.
CREATE TABLE idem_audit (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  at           INTEGER NOT NULL,
  who          TEXT NOT NULL,
  why          TEXT NOT NULL,
  what         TEXT NOT NULL,     -- 'drop', 'forget'
  consumer     INTEGER NOT NULL,
  parked       INTEGER,           -- its number in idem_parked; of 'forget': the highest one given until then
  reason       TEXT,
  topic        TEXT,
  partition    INTEGER,
  position     INTEGER,
  id           BLOB,
  id_key       BLOB,
  fingerprint  INTEGER
) STRICT;

-- That an id was parked is still to be known when its message has been dropped.
CREATE INDEX idem_audit_id ON idem_audit (id_key) WHERE id_key IS NOT NULL;

-- All that people choose by, in the order they read in: rows with large payloads are not touched to be passed over, and
-- parking appends to it.
CREATE INDEX idem_parked_in_order ON idem_parked (number, consumer, reason, topic, parked_at);
CREATE INDEX idem_parked_id ON idem_parked (id_key) WHERE id_key IS NOT NULL;
)";

constexpr const char* tables_of_version_7 = R"(
-- Messages that the broker has been told of and that come back by themselves: put off by their handler, or redriven.
CREATE TABLE idem_returning (
  number        INTEGER PRIMARY KEY AUTOINCREMENT,
  consumer      INTEGER NOT NULL,
  due           INTEGER NOT NULL,  -- by the wall clock
  topic         TEXT NOT NULL,
  partition     INTEGER NOT NULL,
  position      INTEGER NOT NULL,
  key           BLOB,
  payload       BLOB,
  headers       BLOB NOT NULL,
  timestamp     INTEGER,
  id            BLOB NOT NULL,
  id_key        BLOB,
  why           TEXT NOT NULL,
  attempts      INTEGER NOT NULL,
  maybe_called  INTEGER NOT NULL,
  redrive       INTEGER NOT NULL   -- the generation of the id: 0: put off; n: its n-th redrive
) STRICT;

CREATE INDEX idem_returning_in_order ON idem_returning (consumer, topic, partition, due, number);
CREATE INDEX idem_returning_id ON idem_returning (id_key) WHERE id_key IS NOT NULL;
)";

void add_outbox(Connection& connection) { connection.exec(tables_of_version_2); }
void add_claims(Connection& connection) { connection.exec(tables_of_version_3); }
void add_audit(Connection& connection) { connection.exec(tables_of_version_6); }
void add_returning(Connection& connection) { connection.exec(tables_of_version_7); }

void create(Connection& connection) {
  connection.exec(tables_of_version_1);
  const HashKey key = random_bytes();
  Statement insert(connection, "INSERT INTO idem_store VALUES (1, 1, ?, ?, 0)");
  insert.run(core::hex(random_bytes()), Blob{{reinterpret_cast<const char*>(key.data()), key.size()}});
}

constexpr Migration all_migrations[] = {create, add_outbox, add_claims, seal_all_ids, pack_outbox, add_audit,
                                        add_returning, keep_results};

bool has_table(Connection& connection, std::string_view name) {
  Statement find(connection, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  return find.rows(name).next();
}

void migrate(Connection& connection, std::span<const Migration> steps) {
  // Read again inside the transaction: from here on nobody else can change it.
  const auto version = static_cast<std::size_t>(stored_version(connection));
  for (std::size_t i = version; i < steps.size(); ++i) steps[i](connection);
  Statement mark(connection, "UPDATE idem_store SET schema_version = ?");
  mark.run(steps.size());
  if (IDEM_FAILPOINT("store.migrate")) throw StoreError("failpoint store.migrate", true);
}

}  // namespace

std::int64_t stored_version(Connection& connection) {
  if (!has_table(connection, "idem_store")) return 0;
  Statement read(connection, "SELECT schema_version FROM idem_store");
  auto rows = read.rows();
  return rows.next() ? rows.integer(0) : 0;
}

std::span<const Migration> migrations() { return all_migrations; }

void refuse_newer(std::int64_t version, std::int64_t known) {
  if (version > known)
    throw StoreError("the store was made by a newer version of idem (schema " + std::to_string(version) +
                         ", this one knows up to " + std::to_string(known) + "): run that version",
                     false);
}

void bring_up_to_date(Connection& connection, std::span<const Migration> steps) {
  const auto version = stored_version(connection);
  const auto known = static_cast<std::int64_t>(steps.size());
  refuse_newer(version, known);
  if (version == known) return;
  connection.exec("BEGIN IMMEDIATE");
  try {
    migrate(connection, steps);
    connection.exec("COMMIT");
  } catch (...) {
    if (connection.in_transaction()) connection.exec("ROLLBACK");
    throw;
  }
}

StoreIdentity read_identity(Connection& connection) {
  Statement read(connection, "SELECT store_id, hash_key, sequence FROM idem_store");
  auto rows = read.rows();
  StoreIdentity identity;
  if (!rows.next() || rows.text(1).size() != identity.hash_key.size())
    throw StoreError("the table idem_store is damaged", false);
  identity.id = rows.text(0);
  std::memcpy(identity.hash_key.data(), rows.text(1).data(), identity.hash_key.size());
  identity.sequence = rows.integer(2);
  return identity;
}

}  // namespace idem::sqlite
