#include "sqlite/result_migration.h"

#include <cstdint>
#include <vector>

#include "sqlite/results.h"

namespace idem::sqlite {

void keep_results(Connection& connection) {
  connection.exec("ALTER TABLE idem_claim ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0");
  std::vector<std::int64_t> generations;
  Statement all(connection, "SELECT number FROM idem_generation");
  for (auto rows = all.rows(); rows.next();) generations.push_back(rows.integer(0));
  for (const std::int64_t generation : generations) Results::create_table(connection, generation);
}

}  // namespace idem::sqlite
