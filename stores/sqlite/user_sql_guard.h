// What SQL of a handler may not do: end the transaction it shares with other messages, or touch idem's own tables.
//
// Two nets. The authorizer refuses such a statement when it is prepared, also on the native handle. The commit hook
// turns a COMMIT that comes about all the same (a statement that runs outside of any transaction, because an error
// ended it) into a rollback.
#pragma once

#include "sqlite/connection.h"

namespace idem::sqlite {

class UserSqlGuard {
 public:
  void install(sqlite3* handle);

  /// From here on SQL is a handler's / is ours.
  void user_begins() { user_ = true; }
  void user_ends() { user_ = false; }

 private:
  static int authorize(void* self, int action, const char* first, const char* second, const char* database,
                       const char* trigger);
  static int on_commit(void* self);

  bool user_ = false;
};

}  // namespace idem::sqlite
