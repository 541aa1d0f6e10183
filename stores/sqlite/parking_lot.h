// Messages that ended without an effect, whole, until a person has looked at them.
//
// Threads: under the write turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

class ParkingLot {
 public:
  ParkingLot(Connection& connection, std::int64_t consumer);

  /// In the caller's transaction. A conflict that is parked already (same id, same content), or was and has been
  /// dropped or redriven by hand, is not parked again.
  void park(const Record& record, const Conclusion& conclusion);
  std::vector<ParkedMessage> list(std::int64_t after, std::size_t limit);

 private:
  const std::int64_t consumer_;
  Statement insert_, list_, dropped_conflict_;
};

}  // namespace idem::sqlite
