#include "samples/ledger.h"

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <thread>

namespace idem::test {
namespace {

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using Database = std::unique_ptr<sqlite3, Close>;

Database open(const std::filesystem::path& path, int flags) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  Database database(opened);
  if (result != SQLITE_OK) throw std::runtime_error("cannot open " + path.string());
  sqlite3_busy_timeout(opened, 5'000);
  return database;
}

}  // namespace

std::string sample(const std::string& name) { return std::string(IDEM_SAMPLES_BUILT) + "/" + name; }

void execute(const std::filesystem::path& database, const std::string& sql) {
  const Database opened = open(database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (sqlite3_exec(opened.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(opened.get()));
}

std::vector<std::string> rows(const std::filesystem::path& database, const std::string& sql) {
  std::vector<std::string> found;
  if (!std::filesystem::exists(database)) return found;
  const auto keep = [](void* into, int columns, char** values, char**) {
    std::string row;
    for (int i = 0; i < columns; ++i) row += (i ? " " : "") + std::string(values[i] ? values[i] : "NULL");
    static_cast<std::vector<std::string>*>(into)->push_back(row);
    return 0;
  };
  sqlite3_exec(open(database, SQLITE_OPEN_READONLY).get(), sql.c_str(), keep, &found, nullptr);
  return found;
}

std::vector<std::string> bookings(const std::filesystem::path& database) {
  return rows(database, "SELECT payment, account, cents FROM booking ORDER BY payment, rowid");
}

bool wait_for_bookings(const std::filesystem::path& database, std::size_t count,
                       std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (bookings(database).size() < count) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace idem::test
