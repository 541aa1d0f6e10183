#include "sqlite/parked_rows.h"

#include <cstring>
#include <stdexcept>

#include "sqlite/header_bytes.h"
#include "sqlite/values.h"

namespace idem::sqlite {

ParkReason reason_of(const Row& row, int column) {
  if (const auto reason = park_reason(row.text(column))) return *reason;
  throw std::runtime_error("idem: unknown reason in the parking lot: " + std::string(row.text(column)));
}

void read_kept(const Row& row, KeptMessage& m) {
  m.number = row.integer(0);
  m.partition = {std::string(row.text(1)), static_cast<std::int32_t>(row.integer(2))};
  m.offset = row.integer(3);
  m.key = owned(row, 4);
  m.payload = owned(row, 5);
  m.headers = decode_headers(row.text(6));
  m.timestamp = maybe_time_of(row, 7);
  m.id = row.text(8);
  m.why = row.text(9);
  m.attempts = static_cast<int>(row.integer(10));
}

ParkedMessage read_parked(const Row& row) {
  ParkedMessage m;
  read_kept(row, m);
  m.reason = reason_of(row, 11);
  m.parked_at = time_of(row, 12);
  return m;
}

std::string parked_id_key(const IdKey& key) {
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &key.high, 8);
  std::memcpy(bytes.data() + 8, &key.low, 8);
  return bytes;
}

IdKey parked_id(std::string_view id_key) {
  if (id_key.size() != 16) throw std::runtime_error("idem: an id_key that is not 16 bytes long");
  IdKey key;
  std::memcpy(&key.high, id_key.data(), 8);
  std::memcpy(&key.low, id_key.data() + 8, 8);
  return key;
}

}  // namespace idem::sqlite
