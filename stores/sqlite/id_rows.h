// How the ids of one generation lie in the file: table idem_ids_<generation> (number, ids), ids being a blob of
// entries of 24 bytes, key and fingerprint.
//
// Two kinds of rows. The tail: a row for each commit, in the order of the commits. Sealed runs: the ids of many tail
// rows, sorted and cut into buckets by equal shares of the key's range, a row for each bucket; where an id lies in a
// run follows from the id. A run counts from the moment its row is in idem_id_run; the tail rows it was made of are
// garbage from then on, and rows of a run that is not there always were.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <idem/store.h>

#include "sqlite/connection.h"
#include "sqlite/id_filter.h"

namespace idem::sqlite {

struct IdEntry {
  IdKey key;
  std::uint64_t fingerprint = 0;
};

constexpr std::size_t bytes_per_id = 24;

void append_entry(std::string& bytes, const IdEntry& entry);
IdEntry entry_at(std::string_view bytes, std::size_t index);
/// Of a bucket. Throws SqlError (corrupt) if the bytes cannot be one.
std::optional<std::uint64_t> find_fingerprint(std::string_view bucket, const IdKey& key);

/// How many buckets a run of so many ids has: few enough ids in each that a row fits into a page of 4 KiB.
std::int64_t buckets_for(std::size_t ids);
/// In which of them a key lies; rises with the key.
std::int64_t bucket_of(const IdKey& key, std::int64_t buckets);

/// Rows from `from` to before `to`.
struct RowRange {
  std::int64_t from = 0, to = 0;
  bool empty() const { return from >= to; }
};

class IdRows {
 public:
  IdRows(Connection& connection, std::int64_t generation);

  static void create_table(Connection& connection, std::int64_t generation);
  static void drop_table(Connection& connection, std::int64_t generation);
  static std::string table(std::int64_t generation) { return "idem_ids_" + std::to_string(generation); }

  /// The number of a bucket's row. Run 0 is the tail.
  static std::int64_t number(std::int64_t run, std::int64_t bucket) { return run << 32 | bucket; }
  static std::int64_t run_of(std::int64_t number) { return number >> 32; }

  void insert(std::int64_t number, std::string_view ids);
  void erase(RowRange rows);
  std::optional<std::uint64_t> find(std::int64_t number, const IdKey& key);

  struct SealedRun {
    std::int64_t run = 0, buckets = 0;
    std::int64_t tail_end = 0;  ///< the first tail row that is neither in this run nor in an older one
    IdFilter filter;
  };
  /// From here on the run counts. Its buckets are there.
  void seal(const SealedRun& sealed, std::size_t ids);
  std::vector<SealedRun> sealed_runs();

  /// The highest run of which there is a row, finished or not; 0: none.
  std::int64_t last_run();
  /// The rows there are between two numbers; empty if there are none.
  RowRange rows_between(std::int64_t from, std::int64_t to);
  /// Calls `visit(number, entry)` for the tail from the row `from` on.
  template <class Visit>
  void each_in_tail(std::int64_t from, Visit&& visit) {
    Statement tail(connection_, "SELECT number, ids FROM " + table(generation_) + " WHERE number >= ? AND number < ?");
    for (auto rows = tail.rows(from, number(1, 0)); rows.next();) {
      const std::string_view ids = rows.text(1);
      for (std::size_t i = 0; i < ids.size() / bytes_per_id; ++i) visit(rows.integer(0), entry_at(ids, i));
    }
  }

 private:
  Connection& connection_;
  const std::int64_t generation_;
  Statement insert_, erase_, find_;
};

}  // namespace idem::sqlite
