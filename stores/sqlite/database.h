// The file, opened as its one owner: private, on a local disk, locked, its tables up to date. And its end: a
// database that cannot be trusted any more is dead, and says so on every later call.
//
// Threads: under the write turn.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <idem/sqlite_store.h>
#include <idem/store.h>

#include "sqlite/connection.h"
#include "sqlite/file.h"
#include "sqlite/owner_lock.h"
#include "sqlite/schema.h"
#include "sqlite/user_sql_guard.h"

namespace idem::sqlite {

class Database {
 public:
  explicit Database(const SqliteOptions& options);

  const std::string& path() const { return path_; }
  const StoreIdentity& identity() const { return identity_; }
  Connection& connection() { return *connection_; }
  /// For a second connection, which reads what is committed.
  Connection::Settings settings_of_reader() const {
    return {.path = path_, .vfs = vfs_, .access = Connection::Settings::Access::reader};
  }
  UserSqlGuard& guard() { return guard_; }

  /// Closes and opens the file again, patiently; throws StoreError and is dead when that does not help.
  void reconnect();
  /// Deleted or replaced under us: throws StoreError and is dead.
  void require_same_file();

  /// Throws if dead.
  void require_alive() const;
  [[noreturn]] void die(const std::string& reason);
  /// What an SqlError means to those who use the store. Corruption is the end of it.
  StoreError store_error(const SqlError& error);

 private:
  void open_and_verify();

  const std::string path_, vfs_;
  std::optional<OwnerLock> owner_;
  UserSqlGuard guard_;
  std::optional<Connection> connection_;
  StoreIdentity identity_;
  std::optional<FileIdentity> file_;
  std::optional<StoreError> death_;
};

}  // namespace idem::sqlite
