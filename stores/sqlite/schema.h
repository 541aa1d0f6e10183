// idem's tables in the user's file, and how they change from one version to the next.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

/// What a store is: made once with the file and never changed, but for the sequence.
struct StoreIdentity {
  std::string id;  ///< 32 hex digits
  HashKey hash_key{};
  std::int64_t sequence = 0;  ///< of the last commit; tells whether a COMMIT whose answer was lost took place
};

/// Brings the schema from version i to i + 1, i being its place in the list. Runs inside the migration's transaction.
using Migration = void (*)(Connection&);

/// This version's list.
std::span<const Migration> migrations();

/// Since when files have what older ones are read without. The ids of still older ones lie otherwise.
inline constexpr std::int64_t first_schema_with_runs = 4, first_schema_with_audit = 6, first_schema_with_returning = 7,
                              first_schema_with_results = 8;

/// The version in the file; 0: there is no store of idem's in it.
std::int64_t stored_version(Connection& connection);

/// Throws StoreError if the version is above the known one.
void refuse_newer(std::int64_t version, std::int64_t known = static_cast<std::int64_t>(migrations().size()));

/// Makes or migrates the tables, in one transaction. Throws StoreError for a file of a newer version, SqlError.
void bring_up_to_date(Connection& connection, std::span<const Migration> steps = migrations());

StoreIdentity read_identity(Connection& connection);

}  // namespace idem::sqlite
