#include "sqlite/returning.h"

#include <string>

#include "runtime/failpoint.h"
#include "sqlite/header_bytes.h"
#include "sqlite/key_bytes.h"
#include "sqlite/parked_rows.h"
#include "sqlite/values.h"

namespace idem::sqlite {

ReturningMessages::ReturningMessages(Connection& connection, std::int64_t consumer)
    : connection_(connection),
      consumer_(consumer),
      insert_(connection,
              "INSERT INTO idem_returning (consumer, due, topic, partition, position, key, payload, headers, timestamp, "
              "id, id_key, why, attempts, maybe_called, redrive) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"),
      put_off_(connection,
               "UPDATE idem_returning SET due = ?2, id = ?3, id_key = ?4, why = ?5, attempts = ?6, maybe_called = ?7 "
               "WHERE number = ?1"),
      remove_(connection, "DELETE FROM idem_returning WHERE number = ?"),
      find_(connection, "SELECT id_key FROM idem_returning WHERE number = ?"),
      in_order_(connection,
                "SELECT number, due FROM idem_returning WHERE consumer = ? AND topic = ? AND partition = ? "
                "ORDER BY due, number"),
      read_(connection,
            "SELECT number, topic, partition, position, key, payload, headers, timestamp, id, why, attempts, due, "
            "maybe_called FROM idem_returning WHERE number = ?") {}

Ledger::Returning ReturningMessages::due(const PartitionRef& partition, Timestamp now, std::size_t limit,
                                         const std::function<bool(std::int64_t)>& in_hand) {
  Ledger::Returning answer;
  for (auto rows = in_order_.rows(consumer_, partition.topic, partition.partition); rows.next();) {
    const std::int64_t number = rows.integer(0);
    if (in_hand(number)) continue;
    if (const Timestamp due = time_of(rows, 1); due > now || answer.messages.size() == limit) {
      answer.next_due = due;
      break;
    }
    answer.messages.push_back(read(number));
  }
  return answer;
}

ReturningMessage ReturningMessages::read(std::int64_t number) {
  auto row = read_.rows(number);
  row.next();
  ReturningMessage m;
  read_kept(row, m);
  m.due = time_of(row, 11);
  m.maybe_called = row.integer(12) != 0;
  return m;
}

std::optional<ReturningMessages::Row> ReturningMessages::find(std::int64_t number) {
  auto rows = find_.rows(number);
  if (!rows.next()) return std::nullopt;
  return Row{rows.is_null(0) ? std::nullopt : std::optional(parked_id(rows.text(0)))};
}

void ReturningMessages::add(const Record& record, const Conclusion& conclusion) {
  const Message& m = *record.message;
  const std::string headers = encode_headers(m.headers);
  const std::string id_key = record.id ? parked_id_key(*record.id) : std::string();
  insert_.run(consumer_, milliseconds(conclusion.due), m.topic, m.partition, m.offset, blob(m.key), blob(m.payload),
              Blob{headers}, m.timestamp ? Value(milliseconds(*m.timestamp)) : Value(nullptr), Blob{m.id},
              record.id ? std::optional(Blob{id_key}) : std::nullopt, conclusion.why, conclusion.attempts,
              conclusion.maybe_called ? 1 : 0);
  (void)IDEM_FAILPOINT("store.delay");
}

bool ReturningMessages::put_off(const Record& record, const Conclusion& conclusion) {
  const std::string id_key = record.id ? parked_id_key(*record.id) : std::string();
  put_off_.run(record.returning, milliseconds(conclusion.due), Blob{record.message->id},
               record.id ? std::optional(Blob{id_key}) : std::nullopt, conclusion.why, conclusion.attempts,
               conclusion.maybe_called ? 1 : 0);
  return connection_.changes() > 0;
}

bool ReturningMessages::remove(std::int64_t number) {
  remove_.run(number);
  return connection_.changes() > 0;
}

}  // namespace idem::sqlite
