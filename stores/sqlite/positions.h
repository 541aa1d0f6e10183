// How far the partitions of one consumer are done: what is durable, what the open group adds to it, and of that what
// may still be taken back.
//
// Threads: under the write turn.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <idem/store.h>

#include "sqlite/connection.h"

namespace idem::sqlite {

class Positions {
 public:
  Positions(Connection& connection, std::int64_t consumer);

  /// The durable state, read from the file when the partition is opened for the first time.
  Ledger::Opened open(const PartitionRef& ref);

  bool done(std::uint32_t slot, std::int64_t offset) const;
  void finish(const Record& record);
  void skip(std::uint32_t slot, std::int64_t from, std::int64_t to);

  /// Writes it at once, in the caller's transaction; was_reset() once that is durable.
  void write_reset(std::uint32_t slot, const Progress& progress, std::string_view origin);
  void was_reset(std::uint32_t slot, const Progress& progress, std::string_view origin);

  // As Participant.
  void keep();
  void take_back() noexcept { loose_.clear(); }
  void write();
  void committed() noexcept;
  void lost() noexcept;

 private:
  struct Partition {
    PartitionRef ref;
    std::string origin;
    Progress durable, current;
    bool touched = false;
  };

  struct Finished {
    std::uint32_t slot;
    std::int64_t from, offset;
    std::uint64_t print;
  };

  const Partition& at(std::uint32_t slot) const { return partitions_.at(slot); }
  Partition& touch(std::uint32_t slot);
  std::uint32_t load(const PartitionRef& ref);
  void write(const Partition& partition, const Progress& progress, std::string_view origin);

  const std::int64_t consumer_;
  std::deque<Partition> partitions_;  // by slot
  std::vector<std::uint32_t> touched_;
  std::vector<Finished> loose_;  // not kept yet; a few at most
  Statement read_, write_;
};

}  // namespace idem::sqlite
