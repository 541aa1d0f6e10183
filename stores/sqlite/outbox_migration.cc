#include "sqlite/outbox_migration.h"

#include <algorithm>
#include <optional>
#include <string>

#include "sqlite/header_bytes.h"
#include "sqlite/outbox_pack.h"
#include "sqlite/values.h"

namespace idem::sqlite {
namespace {

constexpr const char* tables = R"(
ALTER TABLE idem_outbox RENAME TO idem_outbox_old;

CREATE TABLE idem_outbox (
  number       INTEGER PRIMARY KEY,  -- of its first message; given by the store, never again while it runs
  destination  INTEGER NOT NULL,
  messages     INTEGER NOT NULL,
  pack         BLOB NOT NULL
) STRICT;

-- Which messages of a pack are sent or parked. A table of its own, or each change would write the pack anew.
CREATE TABLE idem_outbox_marks (
  number  INTEGER PRIMARY KEY,       -- the pack's
  marked  INTEGER NOT NULL,          -- how many
  bits    BLOB NOT NULL
) STRICT;
)";

}  // namespace

void pack_outbox(Connection& connection) {
  connection.exec(tables);
  Statement all(connection,
                "SELECT number, destination, id, typeof(id) = 'blob', key, payload, headers FROM idem_outbox_old");
  Statement insert(connection, "INSERT INTO idem_outbox VALUES (?, ?, 1, ?)");
  for (auto row = all.rows(); row.next();) {
    OutgoingMessage message;
    std::optional<publish::Uuid> made;
    const std::string_view id = row.text(2);
    if (row.integer(3) != 0)
      std::copy_n(id.begin(), made.emplace().size(), made->begin());
    else
      message.id = id;
    message.key = owned(row, 4);
    message.payload = owned(row, 5);
    if (!row.is_null(6)) message.headers = decode_headers(row.text(6));
    PackWriter pack;
    pack.append(made, message);
    insert.run(row.integer(0), row.integer(1), Blob{pack.bytes()});
  }
  connection.exec("DROP TABLE idem_outbox_old");
}

}  // namespace idem::sqlite
