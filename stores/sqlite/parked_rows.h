// A message of the parking lot as it lies in idem_parked.
#pragma once

#include <string>
#include <string_view>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// What read_parked() reads, beginning with column 0 …
inline constexpr const char* parked_columns =
    "number, topic, partition, position, key, payload, headers, timestamp, id, why, attempts, reason, parked_at";
/// … and the same without the payload, which need not be read from the disk then.
inline constexpr const char* parked_columns_without_payload =
    "number, topic, partition, position, key, NULL, headers, timestamp, id, why, attempts, reason, parked_at";

/// Throws std::runtime_error if it is damaged.
ParkedMessage read_parked(const Row& row);
/// Its first eleven columns, which idem_returning has too. The same.
void read_kept(const Row& row, KeptMessage& message);

/// Behind it, which ones. Its parameters: at, who, why, what.
inline constexpr const char* insert_audit_of_parked =
    "INSERT INTO idem_audit (at, who, why, what, consumer, parked, reason, topic, partition, position, id, id_key, "
    "fingerprint) SELECT ?1, ?2, ?3, ?4, consumer, number, reason, topic, partition, position, id, id_key, fingerprint "
    "FROM idem_parked WHERE number ";

/// Of the column reason. The same.
ParkReason reason_of(const Row& row, int column);

/// The column id_key, also of idem_returning: in the byte order of the machine, unlike that of other tables (KeyBytes).
std::string parked_id_key(const IdKey& key);
IdKey parked_id(std::string_view id_key);

}  // namespace idem::sqlite
