// A ParkedFilter as SQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <idem/parking_lot.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// The rows of idem_parked that a filter lets through.
class ParkedChoice {
 public:
  /// Borrows the filter. `consumer` and `id_key` are what the file has for its names. `indexed`: the file has the
  /// indexes of schema 6, and one of them is used; else the table is read.
  ParkedChoice(const ParkedFilter& filter, std::optional<std::int64_t> consumer, std::optional<std::string> id_key,
               bool indexed);
  ParkedChoice(const ParkedChoice&) = delete;
  ParkedChoice& operator=(const ParkedChoice&) = delete;

  /// "idem_parked … WHERE …", to follow a FROM.
  const std::string& sql() const { return sql_; }
  /// Binds what sql() has parameters for, beginning with parameter `first`; the next one's number.
  int bind(Statement& statement, int first) const;

 private:
  void add(const char* condition, Value value);

  const std::optional<std::string> id_key_;
  std::string sql_;
  std::vector<Value> values_;
};

}  // namespace idem::sqlite
