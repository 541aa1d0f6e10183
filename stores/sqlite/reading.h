// A store's file, read by somebody who does not own it: alone or beside a running service, and without leaving a trace.
#pragma once

#include <functional>
#include <string>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// How a file keeps what is not yet in it. none: it is no database, or an empty one.
enum class Journal { none, rollback, wal };
Journal journal_of(const Connection& connection);

bool exists(const std::string& path);

/// Opens the file and calls `read`; once more if a service started under way and may have changed it meanwhile. So
/// `read` must begin anew each time. Throws SqlError.
void read_file(const std::string& path, const std::function<void(Connection&)>& read);

}  // namespace idem::sqlite
