// Messages of one consumer that come back by themselves: put off by their handler, or redriven from the parking lot.
//
// A row is written in the transaction that finishes the message (or takes it out of the parking lot), and goes in the
// transaction of what the message comes to in the end. So it is always in one place: with the broker, or here.
//
// Threads: under the write turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

class ReturningMessages {
 public:
  ReturningMessages(Connection& connection, std::int64_t consumer);

  Ledger::Returning due(const PartitionRef& partition, Timestamp now, std::size_t limit,
                        const std::function<bool(std::int64_t)>& in_hand);

  struct Row {
    std::optional<IdKey> id;  ///< that is remembered for it; nullopt: it came without one
  };
  /// nullopt: it has ended.
  std::optional<Row> find(std::int64_t number);

  // In the caller's transaction.
  void add(const Record& record, const Conclusion& conclusion);
  /// Later. False: it has ended.
  bool put_off(const Record& record, const Conclusion& conclusion);
  /// It ends. False: it had.
  bool remove(std::int64_t number);

 private:
  ReturningMessage read(std::int64_t number);

  Connection& connection_;
  const std::int64_t consumer_;
  Statement insert_, put_off_, remove_, find_, in_order_, read_;
};

}  // namespace idem::sqlite
