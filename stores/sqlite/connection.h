// SQLite's two handles, owned: the connection and its prepared statements. Everything else in this folder reaches
// SQLite through these, and sqlite3.h stays in .cc files.
//
// A store has one Connection for its whole life. After a failed COMMIT it is closed and opened again under the same
// object; Statements prepare themselves again at their next use, so whoever holds one need not notice.
//
// Threads: none of this is thread-safe (opened NOMUTEX). It is used under the write turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <idem/transaction.h>

struct sqlite3;
struct sqlite3_stmt;

namespace idem::sqlite {

/// A call into SQLite failed. Never leaves the store: it becomes a StoreError or a TransactionError.
class SqlError : public std::runtime_error {
 public:
  SqlError(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  int code() const { return code_; }  ///< extended result code
  int primary() const { return code_ & 0xff; }
  /// Worth trying again after a pause: the disk is full, the file is locked, memory ran out.
  bool transient() const;
  /// Not the statement's fault but the disk's, the memory's or the file's.
  bool store_fault() const;

 private:
  int code_;
};

class Statement;

class Connection {
 public:
  struct Settings {
    std::string path;
    std::string vfs;  ///< empty: SQLite's own
    std::size_t cache_bytes = 0;  ///< an owner's; others have SQLite's default, and run no statement when they open
    std::function<void(sqlite3*)> on_open;  ///< installs hooks; again after each reopen()
    enum class Access {
      owner,   ///< reads and writes
      reader,  ///< reads, beside an owner or without one; in WAL mode SQLite makes a -wal and -shm file if there is none
      frozen,  ///< reads and leaves no trace: right only while nobody writes, for nothing is locked
    };
    Access access = Access::owner;
  };

  /// Opens an existing file. An owner has WAL and synchronous=FULL, both read back.
  explicit Connection(Settings settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Closes (which rolls back what is open) and opens again. Throws SqlError; may then be called again.
  void reopen();

  sqlite3* handle() const { return handle_; }
  bool in_transaction() const;
  /// Rows changed by the last INSERT, UPDATE or DELETE, and by all since the file was opened.
  std::int64_t changes() const;
  std::int64_t total_changes() const;

  /// For statements that are run once: settings, schema.
  void exec(const std::string& sql);
  /// Ends every statement that was left in the middle of its rows, also those prepared through the native handle:
  /// an open one would make COMMIT fail.
  void reset_open_statements();

 private:
  friend class Statement;
  void open();
  int open_file();
  void set_up_writing();
  void close() noexcept;
  void require_setting(const std::string& pragma, const std::string& expected);

  Settings settings_;
  sqlite3* handle_ = nullptr;
  std::vector<Statement*> statements_;  // all that live, so that close() can finalize them
};

/// One prepared statement, made at first use and kept. Parameters are bound in order from 1.
class Statement {
 public:
  class Rows;

  Statement(Connection& connection, std::string sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Runs it to its end; result rows are ignored.
  template <class... Args>
  void run(const Args&... args) {
    bind_all(args...);
    run_bound();
  }

  /// Runs it row by row; it is reset when the Rows go.
  template <class... Args>
  Rows rows(const Args&... args);

  const std::string& sql() const { return sql_; }
  sqlite3_stmt* prepared();
  bool busy() const;

  // For parameters known only at run time.
  void bind(int index, const Value& value);
  void run_bound();
  bool step();  ///< true: there is a row
  void reset() noexcept;

 private:
  friend class Connection;
  void finalize() noexcept;
  [[noreturn]] void fail(int code);

  template <class... Args>
  void bind_all(const Args&... args) {
    [[maybe_unused]] int index = 0;
    (bind(++index, to_value(args)), ...);
  }
  template <class T>
  static Value to_value(const T& v) {
    if constexpr (std::is_convertible_v<T, std::string_view>)
      return std::string_view(v);
    else if constexpr (std::is_integral_v<T>)
      return static_cast<std::int64_t>(v);
    else
      return v;
  }
  template <class T>
  static Value to_value(const std::optional<T>& v) {
    return v ? to_value(*v) : Value(nullptr);
  }

  Connection& connection_;
  std::string sql_;
  sqlite3_stmt* statement_ = nullptr;
};

/// The rows of one execution: while (rows.next()) rows.integer(0) …
class Statement::Rows final : public Row {
 public:
  explicit Rows(Statement& statement) : statement_(statement) {}
  ~Rows() { statement_.reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool next() { return statement_.step(); }

  int columns() const override;
  bool is_null(int column) const override;
  std::int64_t integer(int column) const override;
  double real(int column) const override;
  std::string_view text(int column) const override;

 private:
  Statement& statement_;
};

template <class... Args>
Statement::Rows Statement::rows(const Args&... args) {
  bind_all(args...);
  return Rows(*this);
}

}  // namespace idem::sqlite
