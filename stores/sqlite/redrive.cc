#include "sqlite/redrive.h"

#include <string>

#include "runtime/failpoint.h"
#include "sqlite/parked_rows.h"
#include "sqlite/values.h"

namespace idem::sqlite {

// Attempts begin anew. But a call may have been made with its id: by itself, by what it is in conflict with, or by what
// was forgotten.
Redrive::Redrive(Connection& connection, const ByHand& by, Timestamp now)
    : by_(by),
      now_(now),
      return_(connection,
              "INSERT INTO idem_returning (consumer, due, topic, partition, position, key, payload, headers, timestamp, "
              "id, id_key, why, attempts, maybe_called, redrive) "
              "SELECT consumer, ?2, topic, partition, position, key, payload, headers, timestamp, id, id_key, why, 0, "
              "reason <> 'no_id', 1 + (SELECT count(*) FROM idem_audit earlier WHERE "
              "earlier.id_key = idem_parked.id_key AND earlier.consumer = idem_parked.consumer AND "
              "earlier.what = 'redrive') FROM idem_parked WHERE number = ?1"),
      audit_(connection, std::string(insert_audit_of_parked) + "= ?5"),
      remove_(connection, "DELETE FROM idem_parked WHERE number = ?") {}

void Redrive::message(std::int64_t number, Timestamp due) {
  return_.run(number, milliseconds(due));
  (void)IDEM_FAILPOINT("parked.returning");
  audit_.run(milliseconds(now_), by_.who, by_.why, "redrive", number);
  if (IDEM_FAILPOINT("parked.redrive")) throw StoreError("failpoint parked.redrive", true);
  remove_.run(number);
}

}  // namespace idem::sqlite
