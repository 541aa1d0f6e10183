// Statements of handlers, prepared once and kept by their text. Bounded: those not used for the longest time go.
//
// Threads: under the write turn.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// A statement of a handler: one only, its parameters numbered $1, $2, … (or ?, ?1).
class UserStatement {
 public:
  /// Throws SqlError as SQLite does, TransactionError for what SQLite would let pass.
  UserStatement(Connection& connection, std::string_view sql);

  void bind(std::span<const Value> values);
  Statement& statement() { return statement_; }

 private:
  void refuse_second_statement();
  void number_parameters();

  Connection& connection_;
  Statement statement_;
  std::vector<std::size_t> value_of_;  // by SQLite's index of the parameter, from 1: which value it takes, from 0
  std::size_t values_ = 0;
};

class StatementCache {
 public:
  explicit StatementCache(Connection& connection, std::size_t capacity = 128);

  /// Valid until released (when the last shared_ptr goes it is kept for the next use). A statement that is being
  /// stepped through is left alone: the second user of its text gets one of his own.
  std::shared_ptr<UserStatement> get(std::string_view sql);

 private:
  using Order = std::list<std::shared_ptr<UserStatement>>;  // most recently used first

  Connection& connection_;
  const std::size_t capacity_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_sql_;  // keys live in the statements
};

}  // namespace idem::sqlite
