// The one writer of the file: everything sessions share. Who works with it holds the write turn (Hold).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include <idem/sqlite_store.h>

#include "sqlite/committer.h"
#include "sqlite/database.h"
#include "sqlite/group.h"
#include "sqlite/outbox.h"
#include "sqlite/settlements.h"
#include "sqlite/statement_cache.h"
#include "sqlite/write_turn.h"

namespace idem::sqlite {

class Writer {
 public:
  explicit Writer(const SqliteOptions& options);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// The write turn, from construction to destruction. Whoever leaves it delivers what was settled meanwhile.
  class Hold {
   public:
    /// Throws StoreError if the store is dead, TransactionError if this thread has the turn.
    explicit Hold(Writer& writer);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    void back_soon() { leave_ = WriteTurn::Leave::briefly; }

   private:
    Writer& writer_;
    WriteTurn::Leave leave_ = WriteTurn::Leave::for_good;
  };

  Database& database() { return database_; }
  Connection& connection() { return database_.connection(); }
  Group& group() { return group_; }
  StatementCache& user_statements() { return user_statements_; }
  Settlements& settlements() { return settlements_; }

  // --- Under the turn ---------------------------------------------------------------------------------------

  /// The record is in the open group: commits it if it is full or old, else sees to it that it will be.
  void joined(SettleListener& listener, std::uint64_t token, Group::Clock::time_point now);
  void commit();
  /// Sees to it that what the open group holds is committed within the age of a group.
  void commit_soon();

  /// The outbox; nullptr: nobody has asked for it.
  Outbox* outbox() { return outbox_.get(); }
  Outbox& make_outbox();

  /// How many records may share a savepoint.
  std::size_t longest_span() const { return longest_span_; }
  std::size_t ids_in_memory() const { return ids_in_memory_; }

  /// Sessions between look_up and yield: as long as there is one, the group waits for it (up to group_age).
  void session_busy() { ++busy_sessions_; }
  void session_idle();

  /// A handler kept everybody else waiting. Logged once a minute at most.
  void warn_of_long_turn(Group::Clock::duration held, const Message& message);

  /// Messages have been put among those that come back by somebody else than a session. The count is for any thread.
  void note_redriven() { redriven_.fetch_add(1, std::memory_order_release); }
  std::uint64_t redriven() const { return redriven_.load(std::memory_order_acquire); }

  /// Work on the tables in a transaction of its own. Throws StoreError.
  void run_alone(const std::function<void()>& work);

 private:
  void commit_if_due();
  bool due(Group::Clock::time_point now) const;

  const std::size_t group_messages_;
  const Group::Clock::duration group_age_;
  const std::size_t longest_span_, ids_in_memory_;

  WriteTurn turn_;
  Database database_;
  StatementCache user_statements_;
  Settlements settlements_;
  Group group_;
  int busy_sessions_ = 0;
  std::atomic<std::uint64_t> redriven_{0};
  std::optional<Group::Clock::time_point> warned_;
  std::unique_ptr<Outbox> outbox_;
  std::optional<Committer> committer_;  // last: its thread uses all of the above
};

}  // namespace idem::sqlite
