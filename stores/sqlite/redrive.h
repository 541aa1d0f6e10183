// Out of the parking lot and among the messages that come back, with a row in the audit: one message at a time, in the
// caller's transaction.
#pragma once

#include <cstdint>

#include <idem/parking_lot.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

class Redrive {
 public:
  Redrive(Connection& connection, const ByHand& by, Timestamp now);

  /// Which is in the parking lot.
  void message(std::int64_t number, Timestamp due);

 private:
  const ByHand& by_;
  const Timestamp now_;
  Statement return_, audit_, remove_;
};

}  // namespace idem::sqlite
