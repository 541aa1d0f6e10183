#include "sqlite/results.h"

#include <sqlite3.h>

#include "runtime/failpoint.h"
#include "sqlite/key_bytes.h"
#include "sqlite/values.h"

namespace idem::sqlite {

// Not WITHOUT ROWID: results may be large, and the tree that is searched for a key would hold them.
void Results::create_table(Connection& connection, std::int64_t generation) {
  connection.exec("CREATE TABLE " + table(generation) + " (id_key BLOB NOT NULL PRIMARY KEY, result BLOB NOT NULL) STRICT");
}

void Results::drop_table(Connection& connection, std::int64_t generation) {
  connection.exec("DROP TABLE " + table(generation));
}

// An id that was forgotten by hand may have been remembered in this generation before.
void Results::put(const IdKey& key, std::string_view result) {
  if (IDEM_FAILPOINT("store.result")) throw SqlError(SQLITE_FULL, "failpoint store.result");
  put_->run(KeyBytes(key).blob(), Blob{result});
}

std::optional<std::string> Results::find(const IdKey& key) {
  const KeyBytes bytes(key);
  for (auto generation = generations_.rbegin(); generation != generations_.rend(); ++generation) {
    Statement find(connection_, "SELECT result FROM " + table(*generation) + " WHERE id_key = ?");
    if (auto rows = find.rows(bytes.blob()); rows.next()) return owned(rows, 0);
  }
  return std::nullopt;
}

void Results::created(std::int64_t generation) {
  generations_.push_back(generation);
  put_.emplace(connection_, "INSERT OR REPLACE INTO " + table(generation) + " VALUES (?, ?)");
}

void Results::dropped(std::int64_t generation) { std::erase(generations_, generation); }

}  // namespace idem::sqlite
