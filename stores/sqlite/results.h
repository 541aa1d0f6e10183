// What handlers have said with done(result), kept with the id: table idem_results_<generation> (id_key, result).
//
// A result lies in the generation that remembers its id and is dropped with it. There is a row for a message that has a
// result and none for the others. Written in the message's own span, so whatever undoes the message undoes it too.
//
// Threads: under the write turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

class Results {
 public:
  explicit Results(Connection& connection) : connection_(connection) {}

  /// Into the newest generation.
  void put(const IdKey& key, std::string_view result);
  /// The newest one.
  std::optional<std::string> find(const IdKey& key);

  static void create_table(Connection& connection, std::int64_t generation);
  static void drop_table(Connection& connection, std::int64_t generation);
  static std::string table(std::int64_t generation) { return "idem_results_" + std::to_string(generation); }

  // Once the transaction in which the table was made or dropped is durable.
  void created(std::int64_t generation);
  void dropped(std::int64_t generation);

 private:
  Connection& connection_;
  std::vector<std::int64_t> generations_;  // oldest first
  std::optional<Statement> put_;           // of the newest
};

}  // namespace idem::sqlite
