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

  /// In the caller's transaction. A conflict that is parked already (same id, same content) is not parked again.
  void park(const Record& record, const Conclusion& conclusion);
  std::vector<ParkedMessage> list(std::int64_t after, std::size_t limit);

 private:
  const std::int64_t consumer_;
  Statement insert_, list_;
};

using OwnedHeaders = std::vector<std::pair<std::string, std::optional<std::string>>>;
std::string encode_headers(std::span<const Header> headers);
/// Throws std::runtime_error on anything encode_headers() has not made.
OwnedHeaders decode_headers(std::string_view bytes);

}  // namespace idem::sqlite
