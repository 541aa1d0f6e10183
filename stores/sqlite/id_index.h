// The remembered ids of one consumer: "was this id seen?", answered for a whole run of messages at once.
//
// Remembering costs no SQL statement per id, and its cost does not grow with what is remembered. What the open group
// adds is written as one row just before its COMMIT (the tail). The ids of the tail are an exact set in memory, made
// again from the tail when the store is opened. A set that is full is sealed: its ids become a sorted run in the file,
// a few rows with each commit, and a filter in memory that says of nearly every new id that it is not in there.
//
// Wherever an id is twice, because it was forgotten by hand and remembered again, the newer place is asked first.
//
// Ids live in generations, a table and a set each, so that forgetting is dropping a table. Nothing below this knows
// that an id is unique: every record is added under the write turn, by whoever has looked for it under the same turn
// or asks again for what came since.
//
// Threads: under the write turn.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <idem/store.h>

#include "sqlite/connection.h"
#include "sqlite/id_rows.h"
#include "sqlite/id_seal.h"

namespace idem::sqlite {

class IdIndex {
 public:
  /// `set_size`: ids that are held in memory before they are sealed.
  IdIndex(Connection& connection, std::size_t set_size) : connection_(connection), set_size_(set_size) {}

  /// fingerprints[i] becomes what is remembered of keys[i]; it stays empty if that is nothing.
  void find(std::span<const IdKey> keys, std::span<std::optional<std::uint64_t>> fingerprints);

  /// Grows whenever an id may have gone to where a look-up before would not have found it.
  using Moment = std::int64_t;
  Moment now() const { return now_; }
  static constexpr Moment before_all = -1;

  /// Whether the id is there, if it was not when it was looked up; `then` is now() of that look-up.
  bool knows(const IdKey& key, Moment then);
  /// False, and nothing is added, if knows().
  bool add(const IdKey& key, std::uint64_t fingerprint, Moment then);
  /// Of an id that is there and has been forgotten by hand: from now on this is what is remembered of it.
  void add_again(const IdKey& key, std::uint64_t fingerprint);

  // As Participant.
  void keep() noexcept { kept_ = added_.size(); }
  void take_back() noexcept;
  void write();
  void committed() noexcept;
  void lost() noexcept;

  // In two steps, so that a transaction that is lost changes nothing in memory.
  void create_table(std::int64_t generation) { IdRows::create_table(connection_, generation); }
  void drop_table(std::int64_t generation) { IdRows::drop_table(connection_, generation); }
  void created(std::int64_t generation);
  void dropped(std::int64_t generation);

 private:
  struct Run {
    IdRows::SealedRun sealed;
    Moment since;
  };
  struct Generation {
    Generation(Connection& connection, std::int64_t number);
    void load();
    void prefetch(const IdKey& key) const;
    std::optional<std::uint64_t> find(const IdKey& key, Moment since);

    const std::int64_t number;
    IdRows rows;
    std::int64_t tail_end = 0, last_run = 0;
    IdSet set;                      // of the tail, but for what is being sealed
    std::unique_ptr<IdSeal> seal;
    std::deque<Run> runs;           // newest first: a copy nearly always comes soon after its original
    std::vector<RowRange> garbage;
    RowRange erasing;               // in the open group
  };

  void forget_added() noexcept;
  void begin_seal();
  void finish_seals();

  Connection& connection_;
  const std::size_t set_size_;
  std::list<Generation> generations_;  // newest first
  Moment now_ = 0;
  std::vector<IdEntry> added_;         // by the open group
  std::size_t kept_ = 0;               // of them not to be taken back
  IdSet added_by_key_;
};

}  // namespace idem::sqlite
