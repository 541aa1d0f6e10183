// A message of the parking lot as it lies in idem_parked.
#pragma once

#include <string>
#include <string_view>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// What read_parked() reads, beginning with column 0 …
inline constexpr const char* parked_columns =
    "number, topic, partition, position, key, payload, headers, timestamp, id, reason, why, attempts, parked_at";
/// … and the same without the payload, which need not be read from the disk then.
inline constexpr const char* parked_columns_without_payload =
    "number, topic, partition, position, key, NULL, headers, timestamp, id, reason, why, attempts, parked_at";

/// Throws std::runtime_error if it is damaged.
ParkedMessage read_parked(const Row& row);

/// Of the column reason. The same.
ParkReason reason_of(const Row& row, int column);

/// The column id_key, also of idem_returning: in the byte order of the machine, unlike that of other tables (KeyBytes).
std::string parked_id_key(const IdKey& key);
IdKey parked_id(std::string_view id_key);

}  // namespace idem::sqlite
