#include "sqlite/parking_lot.h"

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "runtime/failpoint.h"
#include "sqlite/header_bytes.h"
#include "sqlite/values.h"

namespace idem::sqlite {
namespace {

constexpr std::array all_reasons{ParkReason::dead_letter, ParkReason::attempts_exhausted, ParkReason::no_id,
                                 ParkReason::id_conflict, ParkReason::undecidable, ParkReason::unresolved};

ParkReason reason_of(std::string_view text) {
  for (const ParkReason reason : all_reasons)
    if (to_string(reason) == text) return reason;
  throw std::runtime_error("idem: unknown reason in the parking lot: " + std::string(text));
}

std::string key_bytes(const IdKey& key) {
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &key.high, 8);
  std::memcpy(bytes.data() + 8, &key.low, 8);
  return bytes;
}

ParkedMessage read(const Row& row) {
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

}  // namespace

ParkingLot::ParkingLot(Connection& connection, std::int64_t consumer)
    : consumer_(consumer),
      insert_(connection,
              "INSERT INTO idem_parked (consumer, topic, partition, position, key, payload, headers, timestamp, id, "
              "id_key, fingerprint, reason, why, attempts, parked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
              "?, ?) ON CONFLICT DO NOTHING"),
      list_(connection,
            "SELECT number, topic, partition, position, key, payload, headers, timestamp, id, reason, why, attempts, "
            "parked_at FROM idem_parked WHERE consumer = ? AND number > ? ORDER BY number LIMIT ?") {}

void ParkingLot::park(const Record& record, const Conclusion& conclusion) {
  const Message& m = *record.message;
  const std::string headers = encode_headers(m.headers);
  const std::string id_key = record.id ? key_bytes(*record.id) : std::string();
  insert_.run(consumer_, m.topic, m.partition, m.offset, blob(m.key), blob(m.payload), Blob{headers},
              m.timestamp ? Value(milliseconds(*m.timestamp)) : Value(nullptr), Blob{m.id},
              record.id ? std::optional(Blob{id_key}) : std::nullopt,
              record.fingerprint, to_string(conclusion.reason), conclusion.why, conclusion.attempts,
              milliseconds(now()));
  (void)IDEM_FAILPOINT("store.park");
}

std::vector<ParkedMessage> ParkingLot::list(std::int64_t after, std::size_t limit) {
  std::vector<ParkedMessage> messages;
  auto rows = list_.rows(consumer_, after, limit);
  while (rows.next()) messages.push_back(read(rows));
  return messages;
}

}  // namespace idem::sqlite
