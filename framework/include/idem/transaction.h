// The database transaction a handler writes its effect through.
//
// What goes through a Transaction commits together with the record that the message was processed, or not at all.
// What a handler does elsewhere (files, HTTP calls, its own members) is outside the promise.
//
// A Transaction is lazy: handlers run in parallel until they first touch it. From then until the handler returns it
// holds the store's one write turn, so do slow work first and touch the transaction last.
//
// Threads: use it on the thread that was given it, and not after the handler has returned (a use after that
// throws TransactionError and writes nothing).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <idem/outgoing.h>

namespace idem {

/// A statement failed, or the transaction was used where it must not be. Leaving the handler with it is a retry.
class TransactionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Bytes bound as or read from a BLOB column (text is std::string_view / std::string).
struct Blob {
  std::string_view bytes;
};

/// One bound parameter. Views are borrowed for the length of the call.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string_view, Blob>;

/// One result row, valid inside the callback it was given to. Columns count from 0.
class Row {
 public:
  virtual int columns() const = 0;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  ///< TEXT or BLOB bytes
 protected:
  ~Row() = default;
};

class Transaction {
 public:
  /// Runs one statement with $1, $2, … bound in order; returns the number of rows it changed.
  /// Throws TransactionError with the database's own message; nothing of a failed statement remains.
  /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ATTACH and PRAGMA are refused: the runtime owns the transaction.
  template <class... Args>
  std::int64_t exec(std::string_view sql, const Args&... args) {
    const Value values[sizeof...(Args) + 1] = {to_value(args)..., nullptr};
    return execute(sql, std::span(values, sizeof...(Args)));
  }

  /// Reads rows by type: for (auto [id, cents] : tx.query<std::int64_t, double>("SELECT id, cents FROM …")).
  /// Column types: integers, double, bool, std::string, std::optional of these (NULL otherwise throws).
  template <class... Columns, class... Args>
  std::vector<std::tuple<Columns...>> query(std::string_view sql, const Args&... args) {
    std::vector<std::tuple<Columns...>> rows;
    const Value values[sizeof...(Args) + 1] = {to_value(args)..., nullptr};
    select(sql, std::span(values, sizeof...(Args)), [&rows](const Row& row) {
      if (row.columns() != static_cast<int>(sizeof...(Columns)))
        throw TransactionError("query asks for " + std::to_string(sizeof...(Columns)) + " columns, the statement has " +
                               std::to_string(row.columns()));
      rows.push_back(read<Columns...>(row, std::index_sequence_for<Columns...>{}));
    });
    return rows;
  }

  /// The first row's single column, or nullopt when there is no row.
  template <class Column, class... Args>
  std::optional<Column> query_value(std::string_view sql, const Args&... args) {
    auto rows = query<Column>(sql, args...);
    if (rows.empty()) return std::nullopt;
    return std::move(std::get<0>(rows.front()));
  }

  /// Sends a message when, and only when, this transaction has committed (idem/outbox.h). `destination` is a name that
  /// a Relay has; another one throws TransactionError. Returns the message's id. Takes the write turn.
  std::string publish(std::string_view destination, OutgoingMessage message) {
    return enqueue(destination, std::move(message));
  }

  /// The store's own handle (sqlite3* for SqliteStore), for an ORM or an API idem does not wrap. Takes the write
  /// turn. The same rules hold: do not end the transaction, do not keep the handle.
  virtual void* native_handle() = 0;

 protected:
  Transaction() = default;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() = default;

  // What a store implements.
  virtual std::int64_t execute(std::string_view sql, std::span<const Value> values) = 0;
  virtual void select(std::string_view sql, std::span<const Value> values,
                      const std::function<void(const Row&)>& on_row) = 0;
  virtual std::string enqueue(std::string_view destination, OutgoingMessage&&) {
    throw TransactionError("publish(\"" + std::string(destination) + "\"): this store has no outbox; use SqliteStore");
  }

 private:
  template <class T>
  static Value to_value(const T& v) {
    if constexpr (std::is_same_v<T, Value>) return v;
    else if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) return nullptr;
    else if constexpr (std::is_same_v<T, Blob>) return v;
    else if constexpr (std::is_enum_v<T>) return static_cast<std::int64_t>(v);
    else if constexpr (std::is_integral_v<T>) {
      static_assert(sizeof(T) < 8 || std::is_signed_v<T>, "idem: SQL integers are signed 64 bit; cast first");
      return static_cast<std::int64_t>(v);
    } else if constexpr (std::is_floating_point_v<T>) return static_cast<double>(v);
    else if constexpr (is_optional<T>::value) return v ? to_value(*v) : Value(nullptr);
    else return std::string_view(v);
  }

  template <class... Columns, std::size_t... I>
  static std::tuple<Columns...> read(const Row& row, std::index_sequence<I...>) {
    return {column<Columns>(row, static_cast<int>(I))...};
  }

  template <class T>
  static T column(const Row& row, int i) {
    if constexpr (is_optional<T>::value) {
      if (row.is_null(i)) return std::nullopt;
      return column<typename T::value_type>(row, i);
    } else {
      if (row.is_null(i)) throw TransactionError("column " + std::to_string(i) + " is NULL; read it as std::optional");
      if constexpr (std::is_integral_v<T>) return static_cast<T>(row.integer(i));
      else if constexpr (std::is_floating_point_v<T>) return static_cast<T>(row.real(i));
      else return T(row.text(i));
    }
  }

  template <class T> struct is_optional : std::false_type {};
  template <class T> struct is_optional<std::optional<T>> : std::true_type {};
};

}  // namespace idem
