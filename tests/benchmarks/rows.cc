#include "benchmarks/rows.h"

#include <sqlite3.h>

#include <charconv>
#include <cstring>
#include <stdexcept>

namespace idem::bench {
namespace {

// splitmix64: a good bijection of 64 bits, so that no two numbers share an id.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Uuid uuid(std::uint64_t number) {
  const std::uint64_t halves[2] = {scramble(number), scramble(~number)};
  Uuid id;
  std::memcpy(id.data(), halves, id.size());
  return id;
}

std::string hex(const Uuid& uuid) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * uuid.size());
  for (const std::uint8_t byte : uuid) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

Uuid from_hex(std::string_view text) {
  Uuid id{};
  for (std::size_t i = 0; i < id.size() && 2 * i + 2 <= text.size(); ++i)
    std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, id[i], 16);
  return id;
}

std::string payload(std::uint64_t number) {
  std::string text = "payment " + std::to_string(number) + ' ';
  text.resize(100, '.');
  return text;
}

BareSqlite::BareSqlite(const std::filesystem::path& file) {
  sqlite3* database = nullptr;
  const int opened = sqlite3_open(file.c_str(), &database);
  database_.reset(database);
  if (opened != SQLITE_OK) throw std::runtime_error("cannot open " + file.string());
  run("PRAGMA journal_mode=WAL");
  run("PRAGMA synchronous=FULL");
  run("PRAGMA wal_autocheckpoint=8000");
  run("PRAGMA cache_size=-65536");
  run(make_effects);
  run("CREATE TABLE ids (key BLOB NOT NULL PRIMARY KEY, fingerprint INTEGER NOT NULL, state INTEGER NOT NULL)"
      " STRICT, WITHOUT ROWID");
  begin_ = prepare("BEGIN IMMEDIATE");
  commit_ = prepare("COMMIT");
  insert_id_ = prepare("INSERT INTO ids VALUES (?, ?, 0) ON CONFLICT DO NOTHING");
  insert_effect_ = prepare(insert_effect);
}

BareSqlite::~BareSqlite() = default;

void BareSqlite::begin() { step(begin_); }
void BareSqlite::commit() { step(commit_); }

bool BareSqlite::remember(const Uuid& id) {
  std::int64_t fingerprint;  // as large as a real one
  std::memcpy(&fingerprint, id.data(), sizeof fingerprint);
  sqlite3_bind_blob(insert_id_.get(), 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  sqlite3_bind_int64(insert_id_.get(), 2, fingerprint);
  step(insert_id_);
  return sqlite3_changes(database_.get()) > 0;
}

bool BareSqlite::insert(const Uuid& id, std::string_view body) {
  if (!remember(id)) return false;
  sqlite3_bind_text(insert_effect_.get(), 1, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
  step(insert_effect_);
  return true;
}

void BareSqlite::Close::operator()(sqlite3* database) const { sqlite3_close(database); }
void BareSqlite::Close::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void BareSqlite::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    throw std::runtime_error(std::string(sql) + ": " + sqlite3_errmsg(database_.get()));
}

BareSqlite::Statement BareSqlite::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    throw std::runtime_error(std::string(sql) + ": " + sqlite3_errmsg(database_.get()));
  return Statement(statement);
}

void BareSqlite::step(const Statement& statement) {
  const int result = sqlite3_step(statement.get());
  sqlite3_reset(statement.get());
  if (result != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(database_.get()));
}

}  // namespace idem::bench
