// The messages that the throughput benchmarks are about, and the SQLite that both sides write to.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace idem::bench {

/// 16 random bytes, the same for the same number: a version 4 UUID without its dashes.
using Uuid = std::array<std::uint8_t, 16>;
Uuid uuid(std::uint64_t number);
std::string hex(const Uuid& uuid);
Uuid from_hex(std::string_view text);

/// 100 bytes.
std::string payload(std::uint64_t number);

/// The table that a message's effect goes to, one row each.
inline constexpr const char* make_effects =
    "CREATE TABLE IF NOT EXISTS effects (number INTEGER PRIMARY KEY, body BLOB)";
inline constexpr const char* insert_effect = "INSERT INTO effects (body) VALUES ($1)";

/// SQLite without idem: the settings of a SqliteStore, the effects table, and a table of ids with the same rows and
/// the same unique index as the store's. Throws std::runtime_error.
class BareSqlite {
 public:
  explicit BareSqlite(const std::filesystem::path& file);
  ~BareSqlite();

  void begin();
  void commit();
  /// One id and one effect. False: the id was there, and nothing was written.
  bool insert(const Uuid& id, std::string_view body);
  /// The id alone, likewise.
  bool remember(const Uuid& id);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Close>;

  void run(const char* sql);
  Statement prepare(const char* sql);
  void step(const Statement& statement);

  std::unique_ptr<sqlite3, Close> database_;
  Statement begin_, commit_, insert_id_, insert_effect_;
};

}  // namespace idem::bench
