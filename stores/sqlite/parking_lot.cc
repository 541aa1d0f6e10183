#include "sqlite/parking_lot.h"

#include <optional>

#include "runtime/failpoint.h"
#include "sqlite/header_bytes.h"
#include "sqlite/parked_rows.h"
#include "sqlite/values.h"

namespace idem::sqlite {

ParkingLot::ParkingLot(Connection& connection, std::int64_t consumer)
    : consumer_(consumer),
      insert_(connection,
              "INSERT INTO idem_parked (consumer, topic, partition, position, key, payload, headers, timestamp, id, "
              "id_key, fingerprint, reason, why, attempts, parked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
              "?, ?) ON CONFLICT DO NOTHING"),
      list_(connection,
            std::string("SELECT ") + parked_columns +
                " FROM idem_parked WHERE consumer = ? AND number > ? ORDER BY number LIMIT ?"),
      dropped_conflict_(connection,
                        "SELECT 1 FROM idem_audit WHERE id_key = ? AND consumer = ? AND fingerprint = ? AND "
                        "what IN ('drop', 'redrive') AND reason = 'id_conflict'") {}

void ParkingLot::park(const Record& record, const Conclusion& conclusion) {
  const Message& m = *record.message;
  const std::string headers = encode_headers(m.headers);
  const std::string id_key = record.id ? parked_id_key(*record.id) : std::string();
  if (conclusion.reason == ParkReason::id_conflict &&
      dropped_conflict_.rows(Blob{id_key}, consumer_, record.fingerprint).next())
    return;
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
  while (rows.next()) messages.push_back(read_parked(rows));
  return messages;
}

}  // namespace idem::sqlite
