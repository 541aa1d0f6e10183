#include "sqlite/database.h"

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "runtime/log.h"

namespace idem::sqlite {
namespace {

constexpr int reconnect_attempts = 8;
constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_pause{1'000};

std::string checked_path(const SqliteOptions& options) {
  if (options.path.empty()) throw std::invalid_argument("SqliteOptions::path is required");
  if (options.longest_span == 0) throw std::invalid_argument("SqliteOptions::longest_span must be at least 1");
  if (options.group_messages == 0) throw std::invalid_argument("SqliteOptions::group_messages must be at least 1");
  if (options.ids_in_memory < 1'000) throw std::invalid_argument("SqliteOptions::ids_in_memory must be at least 1000");
  const std::string path = canonical(options.path);
  if (const auto network = file_system_of(path).network)
    throw StoreError(path + " lies on a network file system (" + *network +
                         "), whose locks and syncs are not to be trusted: use a local disk, or PostgreSQL",
                     false);
  return path;
}

}  // namespace

Database::Database(const SqliteOptions& options) : path_(checked_path(options)), vfs_(options.vfs) {
  owner_.emplace(path_, options.wait_for_owner);
  create_private(path_);
  try {
    connection_.emplace(Connection::Settings{path_, options.vfs, options.cache_bytes,
                                             [this](sqlite3* handle) { guard_.install(handle); }});
    bring_up_to_date(*connection_);
    identity_ = read_identity(*connection_);
  } catch (const SqlError& e) {
    throw StoreError("cannot use " + path_ + " as a store: " + e.what(), e.transient());
  } catch (const StoreError& e) {
    throw StoreError("cannot use " + path_ + " as a store: " + e.what(), e.transient());
  }
  file_.emplace(path_);
}

void Database::reconnect() {
  auto pause = first_pause;
  for (int attempt = 1;; ++attempt) {
    try {
      return open_and_verify();
    } catch (const SqlError& e) {
      runtime::log().warn("idem: {} cannot be reopened (attempt {} of {}): {}", path_, attempt, reconnect_attempts,
                          e.what());
      if (attempt == reconnect_attempts) die(std::string("it cannot be reopened: ") + e.what());
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, longest_pause);
  }
}

void Database::open_and_verify() {
  connection_->reopen();
  const StoreIdentity now = read_identity(*connection_);
  if (now.id != identity_.id) die("another store lies in its place now");
  identity_.sequence = now.sequence;  // and nothing else: other threads read id and key without the turn
  file_.emplace(path_);
}

void Database::require_same_file() {
  if (const char* what = file_->changed()) die(what);
}

void Database::require_alive() const {
  if (death_) throw *death_;
}

void Database::die(const std::string& reason) {
  if (!death_) {
    death_.emplace("the store " + path_ + " is lost: " + reason, false);
    runtime::log().error("idem: {}", death_->what());
  }
  throw *death_;
}

StoreError Database::store_error(const SqlError& error) {
  StoreError meaning(path_ + ": " + error.what(), error.transient());
  if (!meaning.transient() && !death_) {
    death_.emplace(meaning);
    runtime::log().error("idem: the store is lost: {}", meaning.what());
  }
  return meaning;
}

}  // namespace idem::sqlite
