// The sealing of a run: what was remembered in memory becomes sorted rows, a few with each commit.
//
// Sorting many is for a thread of its own, so that no commit waits for it. Until the run counts its ids are still found in
// memory, and a crash leaves rows that do not count; whoever opens the store then still finds the tail.
#pragma once

#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "core/id_map.h"
#include "sqlite/id_rows.h"

namespace idem::sqlite {

/// Ids with their fingerprints.
using IdSet = core::IdMap<std::uint64_t>;

class IdSeal {
 public:
  /// Empties `ids`. `tail_end`: the first tail row that is not of these ids.
  IdSeal(IdSet& ids, std::int64_t run, std::int64_t tail_end) noexcept;
  IdSeal(const IdSeal&) = delete;
  IdSeal& operator=(const IdSeal&) = delete;

  const IdSet& ids() const { return ids_; }

  // --- Under the write turn, as Participant -----------------------------------------------------------------------

  /// Writes the next rows, of about so many ids. Nothing while it is being sorted.
  void write(IdRows& rows, std::size_t ids);
  void committed() noexcept { written_durable_ = written_; }
  void lost() noexcept { written_ = written_durable_; }

  /// All of it is durable; then the run.
  bool complete() const { return sorted_ && written_durable_ > sorted_->run.buckets; }
  const IdRows::SealedRun& run() const { return sorted_->run; }

 private:
  struct Sorted {
    IdRows::SealedRun run;
    std::vector<IdEntry> entries;
  };
  static Sorted sort(const IdSet& ids, std::int64_t run, std::int64_t tail_end);
  bool ready();

  const IdSet ids_;
  const std::int64_t run_, tail_end_;
  std::optional<Sorted> sorted_;
  std::int64_t written_ = 0, written_durable_ = 0;  // buckets, and one more for the run's own row
  std::future<Sorted> sorting_;                     // last: its thread reads ids_
};

}  // namespace idem::sqlite
