#include "sqlite/parked_rows.h"

#include <chrono>
#include <cstring>
#include <stdexcept>

#include "sqlite/header_bytes.h"
#include "sqlite/values.h"

namespace idem::sqlite {
namespace {

ParkReason reason_of(std::string_view text) {
  if (const auto reason = park_reason(text)) return *reason;
  throw std::runtime_error("idem: unknown reason in the parking lot: " + std::string(text));
}

}  // namespace

ParkedMessage read_parked(const Row& row) {
  ParkedMessage m;
  m.number = row.integer(0);
  m.partition = {std::string(row.text(1)), static_cast<std::int32_t>(row.integer(2))};
  m.offset = row.integer(3);
  m.key = owned(row, 4);
  m.payload = owned(row, 5);
  m.headers = decode_headers(row.text(6));
  if (!row.is_null(7)) m.timestamp = Timestamp(std::chrono::milliseconds(row.integer(7)));
  m.id = row.text(8);
  m.reason = reason_of(row.text(9));
  m.why = row.text(10);
  m.attempts = static_cast<int>(row.integer(11));
  m.parked_at = Timestamp(std::chrono::milliseconds(row.integer(12)));
  return m;
}

std::string parked_id_key(const IdKey& key) {
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &key.high, 8);
  std::memcpy(bytes.data() + 8, &key.low, 8);
  return bytes;
}

}  // namespace idem::sqlite
