// The open group: one SQL transaction in which the messages of many sessions become durable together.
//
// It has no begin for those who join: the first one opens it, and it ends in one of two ways. Committed: everything
// is durable, every record settles so. Lost: nothing is, every record settles so, and the epoch is raised, because
// sessions have looked up what it held. An answer to COMMIT that is an error is neither: it is unknown, and the
// file is asked which of the two it was.
//
// Inside it a span is what can be undone alone: one savepoint for several messages of one session, since a savepoint
// for each costs as much as everything else of a message. It ends when its session says so, when anybody else does
// something with the group, and with the group.
//
// Threads: under the write turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "sqlite/database.h"
#include "sqlite/settlements.h"

namespace idem::sqlite {

/// Keeps in memory what is not written until just before COMMIT (positions, ids, times).
class Participant {
 public:
  virtual void keep() = 0;                ///< what it has been told since the last keep() belongs to the group
  virtual void take_back() noexcept = 0;  ///< … is undone
  virtual void write() = 0;               ///< keeps and writes; throws SqlError
  virtual void committed() noexcept = 0;
  virtual void lost() noexcept = 0;

 protected:
  ~Participant() = default;
};

class Group {
 public:
  using Clock = std::chrono::steady_clock;

  Group(Database& database, Settlements& settlements);

  /// The SQL transaction, at its first need. Throws SqlError (locked by another process).
  void begin();
  /// False: an error ended the transaction under us; what is left is to lose() it.
  bool alive() const { return !begun_ || database_.connection().in_transaction(); }
  bool open() const { return begun_ || records_ > 0 || !participants_.empty(); }

  // Only while alive().
  void open_span(const void* owner);
  /// What joined in the span can no longer be undone alone. Nothing to do if none is open.
  void close_span();
  bool span_of(const void* owner) const { return span_owner_ == owner && alive(); }
  /// How many records have joined in the open span.
  std::size_t span_records() const { return span_records_; }
  /// Undoes what was written in the span and takes back what joined: as if none of it had ever been.
  void roll_back_span();

  /// `participant` has something to write. Once a group, however often it says so.
  void take_part(Participant& participant);
  /// The record is in: `listener` will hear what became of it.
  void join(SettleListener& listener, std::uint64_t token);
  bool holds_records_of(const SettleListener& listener) const;

  std::size_t records() const { return records_; }
  /// When its first record joined, or its commit was asked for.
  std::optional<Clock::time_point> since() const { return since_; }
  /// There is something to commit that nobody waits for: it need not go at once, but it must go.
  void ask_for_commit() {
    if (!since_) since_ = Clock::now();
  }
  /// Grows with each group.
  std::uint64_t serial() const { return serial_; }
  /// Grows when records were lost: whoever looked something up before may have seen what is gone.
  std::uint64_t epoch() const { return epoch_; }
  /// Why the last group was lost; nullopt if not by the store's own fault (SQL of a handler ended it).
  const std::optional<StoreError>& trouble() const { return trouble_; }

  /// Makes it durable; returns false if it was lost. Does not throw: those concerned hear by settlement, and the
  /// reason is in trouble(). Nothing to do if it is not open.
  bool commit() noexcept;
  void lose(std::optional<StoreError> trouble) noexcept;
  /// `work` in a transaction of its own, durable when this returns. Commits the open group first. What `work` throws
  /// passes through; a commit that fails is a StoreError.
  void run_alone(const std::function<void()>& work);

 private:
  enum class Ending { committed, lost };
  Settlements::Batch& batch_of(SettleListener& listener);
  void write_participants();
  Ending run_commit();
  Ending find_out(const SqlError& error);
  std::int64_t sequence_in_file(bool disk_full);
  void end(bool durable) noexcept;

  Database& database_;
  Settlements& settlements_;
  Statement begin_, commit_, rollback_, savepoint_, release_, rollback_to_, write_sequence_;

  void end_span() noexcept;
  void keep();

  bool begun_ = false;
  const void* span_owner_ = nullptr;  // the session whose span is open
  SettleListener* span_listener_ = nullptr;
  std::size_t span_records_ = 0;
  std::size_t records_ = 0;
  std::optional<Clock::time_point> since_;
  std::vector<Participant*> participants_;
  std::vector<Settlements::Batch> joined_;  // by listener; the entries stay for the next group
  std::int64_t sequence_;                   // of the last durable commit
  std::uint64_t serial_ = 1;
  std::uint64_t epoch_ = 1;
  std::optional<StoreError> trouble_;
};

}  // namespace idem::sqlite
