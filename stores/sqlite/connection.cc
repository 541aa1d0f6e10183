#include "sqlite/connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace idem::sqlite {
namespace {

// How long another process may hold the file locked (a writer in the sqlite3 shell, a backup) before it is an error.
constexpr int busy_timeout_ms = 5'000;
// Pages in the log before they are copied into the file. Longer: fewer copies of pages that change again and again.
constexpr int checkpoint_pages = 8'000;
// The log file shrinks to this after a checkpoint that a long reader had held up.
constexpr int log_bytes_kept = 64 << 20;

[[noreturn]] void fail(sqlite3* handle, int code, const std::string& what) {
  const char* why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  throw SqlError(code, what + ": " + why);
}

// SQLite takes a null pointer for NULL, whatever the length says; an empty value is not NULL.
const char* data_of(std::string_view bytes) { return bytes.data() != nullptr ? bytes.data() : ""; }

// A path inside of a file: URI, where these three characters mean something.
std::string percent_encoded(std::string_view path) {
  std::string encoded;
  for (const char c : path) encoded += c == '%' ? "%25" : c == '?' ? "%3f" : c == '#' ? "%23" : std::string(1, c);
  return encoded;
}

}  // namespace

bool SqlError::transient() const {
  switch (primary()) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
      return true;
    default:
      return false;
  }
}

bool SqlError::store_fault() const {
  switch (primary()) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return true;
    default:
      return false;
  }
}

// --- Connection -----------------------------------------------------------------------------------------------

Connection::Connection(Settings settings) : settings_(std::move(settings)) { open(); }

Connection::~Connection() { close(); }

void Connection::reopen() {
  close();
  open();
}

int Connection::open_file() {
  const char* vfs = settings_.vfs.empty() ? nullptr : settings_.vfs.c_str();
  const auto open = [&](const std::string& name, int flags) {
    return sqlite3_open_v2(name.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX, vfs);
  };
  switch (settings_.access) {
    case Settings::Access::owner:
      return open(settings_.path, SQLITE_OPEN_READWRITE);
    case Settings::Access::reader:
      return open(settings_.path, SQLITE_OPEN_READONLY);
    case Settings::Access::frozen:
      break;
  }
  return open("file:" + percent_encoded(settings_.path) + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

void Connection::set_up_writing() {
  // Only FULL syncs the log before COMMIT returns; with NORMAL a power cut takes acknowledged commits away.
  require_setting("journal_mode=WAL", "wal");
  exec("PRAGMA synchronous=FULL");
  require_setting("synchronous", "2");
  exec("PRAGMA wal_autocheckpoint=" + std::to_string(checkpoint_pages));
  exec("PRAGMA journal_size_limit=" + std::to_string(log_bytes_kept));
  exec("PRAGMA cache_size=-" + std::to_string(std::max<std::size_t>(settings_.cache_bytes / 1024, 1)));
}

void Connection::open() {
  const int code = open_file();
  try {
    if (code != SQLITE_OK) fail(handle_, code, "cannot open " + settings_.path);
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, busy_timeout_ms);
    if (settings_.access == Settings::Access::owner) set_up_writing();
    if (settings_.on_open) settings_.on_open(handle_);
  } catch (...) {
    close();
    throw;
  }
}

void Connection::require_setting(const std::string& pragma, const std::string& expected) {
  Statement statement(*this, "PRAGMA " + pragma);
  auto rows = statement.rows();
  const std::string actual(rows.next() ? rows.text(0) : "");
  if (actual != expected)
    throw SqlError(SQLITE_ERROR, "PRAGMA " + pragma + " answers '" + actual + "' instead of '" + expected + "'");
}

void Connection::close() noexcept {
  if (handle_ == nullptr) return;
  for (Statement* statement : statements_) statement->finalize();
  reset_open_statements();
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  // v2: statements a handler keeps on the native handle stay valid (and useless) instead of dangling.
  sqlite3_close_v2(handle_);
  handle_ = nullptr;
}

bool Connection::in_transaction() const { return handle_ != nullptr && sqlite3_get_autocommit(handle_) == 0; }

std::int64_t Connection::changes() const { return sqlite3_changes64(handle_); }

std::int64_t Connection::total_changes() const { return sqlite3_total_changes64(handle_); }

void Connection::exec(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(handle_, code, sql.substr(0, sql.find('\n')));
}

void Connection::reset_open_statements() {
  for (sqlite3_stmt* s = sqlite3_next_stmt(handle_, nullptr); s != nullptr; s = sqlite3_next_stmt(handle_, s))
    if (sqlite3_stmt_busy(s)) sqlite3_reset(s);
}

// --- Statement ------------------------------------------------------------------------------------------------

Statement::Statement(Connection& connection, std::string sql) : connection_(connection), sql_(std::move(sql)) {
  connection_.statements_.push_back(this);
}

Statement::~Statement() {
  finalize();
  std::erase(connection_.statements_, this);
}

void Statement::finalize() noexcept { sqlite3_finalize(std::exchange(statement_, nullptr)); }

sqlite3_stmt* Statement::prepared() {
  if (statement_ != nullptr) return statement_;
  if (connection_.handle_ == nullptr) throw SqlError(SQLITE_CANTOPEN, "the database is closed");
  const int code = sqlite3_prepare_v3(connection_.handle_, sql_.data(), static_cast<int>(sql_.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (code != SQLITE_OK) sqlite::fail(connection_.handle_, code, sql_);
  if (statement_ == nullptr) throw SqlError(SQLITE_MISUSE, "there is no SQL statement in '" + sql_ + "'");
  return statement_;
}

bool Statement::busy() const { return statement_ != nullptr && sqlite3_stmt_busy(statement_) != 0; }

void Statement::bind(int index, const Value& value) {
  sqlite3_stmt* s = prepared();
  struct Bind {
    sqlite3_stmt* s;
    int i;
    int operator()(std::nullptr_t) const { return sqlite3_bind_null(s, i); }
    int operator()(std::int64_t v) const { return sqlite3_bind_int64(s, i, v); }
    int operator()(double v) const { return sqlite3_bind_double(s, i, v); }
    int operator()(std::string_view v) const {
      return sqlite3_bind_text64(s, i, data_of(v), v.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(Blob v) const { return sqlite3_bind_blob64(s, i, data_of(v.bytes), v.bytes.size(), SQLITE_STATIC); }
  };
  const int code = std::visit(Bind{s, index}, value);
  if (code != SQLITE_OK) fail(code);
}

void Statement::run_bound() {
  int code = sqlite3_step(prepared());
  while (code == SQLITE_ROW) code = sqlite3_step(statement_);
  if (code != SQLITE_DONE) fail(code);
  reset();
}

bool Statement::step() {
  const int code = sqlite3_step(prepared());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(code);
  return false;
}

// What was bound is borrowed for one execution only: no pointer to it stays behind.
void Statement::reset() noexcept {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::fail(int code) {
  const std::string why = sqlite3_errmsg(connection_.handle_);
  reset();
  throw SqlError(code, why + " (" + sql_ + ")");
}

// --- Rows -----------------------------------------------------------------------------------------------------

int Statement::Rows::columns() const { return sqlite3_column_count(statement_.statement_); }

bool Statement::Rows::is_null(int column) const {
  return sqlite3_column_type(statement_.statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::Rows::integer(int column) const { return sqlite3_column_int64(statement_.statement_, column); }

double Statement::Rows::real(int column) const { return sqlite3_column_double(statement_.statement_, column); }

std::string_view Statement::Rows::text(int column) const {
  sqlite3_stmt* s = statement_.statement_;
  // Bytes first would be a wrong length for a number; the pointer first makes it text (blobs stay as they are).
  const void* data =
      sqlite3_column_type(s, column) == SQLITE_BLOB ? sqlite3_column_blob(s, column) : sqlite3_column_text(s, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(s, column));
  return data != nullptr ? std::string_view(static_cast<const char*>(data), size) : std::string_view{};
}

}  // namespace idem::sqlite
