#include "sqlite/reading.h"

#include <sqlite3.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace idem::sqlite {
namespace {

using Access = Connection::Settings::Access;

std::string log_of(const std::string& path) { return path + "-wal"; }

/// The file's first bytes, by SQLite's own descriptor: closing another one would drop the locks that a store in this
/// process holds on the file.
std::array<unsigned char, 20> header_of(const Connection& connection) {
  std::array<unsigned char, 20> header{};
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file &&
      file->pMethods && file->pMethods->xRead(file, header.data(), header.size(), 0) != SQLITE_OK)
    header = {};
  return header;
}

/// A WAL file without its log is in nobody's hands. Opened as a reader, SQLite would make a log and leave it behind,
/// perhaps owned by somebody who is not the service.
Access access_for(const std::string& path) {
  const Connection connection({.path = path, .access = Access::reader});
  return journal_of(connection) == Journal::wal && !exists(log_of(path)) ? Access::frozen : Access::reader;
}

}  // namespace

Journal journal_of(const Connection& connection) {
  const auto header = header_of(connection);
  if (std::memcmp(header.data(), "SQLite format 3", 16) != 0) return Journal::none;
  return header[18] == 2 && header[19] == 2 ? Journal::wal : Journal::rollback;
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

void read_file(const std::string& path, const std::function<void(Connection&)>& read) {
  const auto read_with = [&](Access access) {
    Connection connection({.path = path, .access = access});
    read(connection);
  };
  if (access_for(path) == Access::frozen) {
    try {
      read_with(Access::frozen);
      if (!exists(log_of(path))) return;
    } catch (const SqlError&) {
      if (!exists(log_of(path))) throw;
    }
  }
  // Beside a service, which may have started while the file was read as frozen: then its log is there.
  read_with(Access::reader);
}

}  // namespace idem::sqlite
