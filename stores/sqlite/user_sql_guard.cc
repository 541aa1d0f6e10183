#include "sqlite/user_sql_guard.h"

#include <sqlite3.h>

namespace idem::sqlite {
namespace {

bool is_ours(const char* table) { return table != nullptr && sqlite3_strnicmp(table, "idem_", 5) == 0; }

}  // namespace

void UserSqlGuard::install(sqlite3* handle) {
  sqlite3_set_authorizer(handle, authorize, this);
  sqlite3_commit_hook(handle, on_commit, this);
}

int UserSqlGuard::authorize(void* self, int action, const char* first, const char* second, const char*, const char*) {
  if (!static_cast<const UserSqlGuard*>(self)->user_) return SQLITE_OK;
  switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_PRAGMA:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      return SQLITE_DENY;
    case SQLITE_READ:
    case SQLITE_SELECT:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_UPDATE:
      return is_ours(first) ? SQLITE_DENY : SQLITE_OK;  // `second` is a column
    default:
      return is_ours(first) || is_ours(second) ? SQLITE_DENY : SQLITE_OK;
  }
}

// Not zero: roll back instead.
int UserSqlGuard::on_commit(void* self) { return static_cast<const UserSqlGuard*>(self)->user_ ? 1 : 0; }

}  // namespace idem::sqlite
