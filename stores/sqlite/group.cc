#include "sqlite/group.h"

#include <sqlite3.h>

#include <algorithm>

#include "runtime/failpoint.h"

namespace idem::sqlite {
namespace {
// Listeners whose (empty) lists are kept for the next group. idem::once makes a listener for each call.
constexpr std::size_t listeners_kept = 32;
}  // namespace

Group::Group(Database& database, Settlements& settlements)
    : database_(database),
      settlements_(settlements),
      begin_(database.connection(), "BEGIN IMMEDIATE"),
      commit_(database.connection(), "COMMIT"),
      rollback_(database.connection(), "ROLLBACK"),
      savepoint_(database.connection(), "SAVEPOINT idem_message"),
      release_(database.connection(), "RELEASE idem_message"),
      rollback_to_(database.connection(), "ROLLBACK TO idem_message"),
      write_sequence_(database.connection(), "UPDATE idem_store SET sequence = ?"),
      sequence_(database.identity().sequence) {}

void Group::begin() {
  if (begun_) return;
  if (IDEM_FAILPOINT("store.begin")) throw SqlError(SQLITE_BUSY, "failpoint store.begin");
  begin_.run();
  begun_ = true;
}

void Group::open_span(const void* owner) {
  close_span();
  if (IDEM_FAILPOINT("store.savepoint")) throw SqlError(SQLITE_BUSY, "failpoint store.savepoint");
  savepoint_.run();
  span_owner_ = owner;
}

void Group::close_span() {
  if (span_owner_ == nullptr || !alive()) return;
  release_.run();
  end_span();
  keep();
  (void)IDEM_FAILPOINT("store.released");
}

void Group::roll_back_span() {
  rollback_to_.run();
  release_.run();
  for (Participant* participant : participants_) participant->take_back();
  if (span_records_ > 0) {
    auto& settlements = batch_of(*span_listener_).settlements;
    settlements.resize(settlements.size() - span_records_);
    records_ -= span_records_;
  }
  end_span();
  (void)IDEM_FAILPOINT("store.span_undone");
}

void Group::end_span() noexcept {
  span_owner_ = nullptr;
  span_listener_ = nullptr;
  span_records_ = 0;
}

void Group::keep() {
  for (Participant* participant : participants_) participant->keep();
}

void Group::take_part(Participant& participant) {
  if (std::find(participants_.begin(), participants_.end(), &participant) == participants_.end())
    participants_.push_back(&participant);
}

Settlements::Batch& Group::batch_of(SettleListener& listener) {
  auto batch = std::find_if(joined_.begin(), joined_.end(), [&](const auto& b) { return b.listener == &listener; });
  if (batch == joined_.end()) batch = joined_.insert(joined_.end(), {&listener, {}});
  return *batch;
}

void Group::join(SettleListener& listener, std::uint64_t token) {
  batch_of(listener).settlements.push_back({token, false});
  ++records_;
  ask_for_commit();
  if (span_owner_ == nullptr) return keep();
  span_listener_ = &listener;
  ++span_records_;
}

bool Group::holds_records_of(const SettleListener& listener) const {
  return std::any_of(joined_.begin(), joined_.end(),
                     [&](const auto& b) { return b.listener == &listener && !b.settlements.empty(); });
}

bool Group::commit() noexcept {
  if (!open()) return true;
  try {
    if (!alive()) {
      lose(std::nullopt);
      return false;
    }
    // Duplicates of a source without positions leave nothing to write.
    const bool durable = (!begun_ && participants_.empty()) || run_commit() == Ending::committed;
    if (durable) end(true);
    return durable;
  } catch (const SqlError& e) {
    lose(database_.store_error(e));
  } catch (const StoreError& e) {
    lose(e);
  } catch (const std::exception& e) {
    lose(StoreError(e.what(), true));
  }
  return false;
}

// Outside of the span: SQLite keeps the old content of every page that is written inside a savepoint.
void Group::write_participants() {
  close_span();
  for (Participant* participant : participants_) participant->write();
  write_sequence_.run(sequence_ + 1);
}

// Up to COMMIT an error is an error: nothing has taken place. From there on it is unknown.
Group::Ending Group::run_commit() {
  begin();
  write_participants();
  (void)IDEM_FAILPOINT("store.before_commit");
  try {
    if (IDEM_FAILPOINT("store.commit_refused")) throw SqlError(SQLITE_IOERR, "failpoint store.commit_refused");
    commit_.run();
    if (IDEM_FAILPOINT("store.commit_lost")) throw SqlError(SQLITE_IOERR, "failpoint store.commit_lost");
  } catch (const SqlError& e) {
    if (find_out(e) == Ending::lost) throw;
  }
  (void)IDEM_FAILPOINT("store.after_commit");
  database_.require_same_file();
  ++sequence_;
  return Ending::committed;
}

// Every commit carries a number of its own, so the file itself can tell whether this one took place. Whoever cannot
// be asked ends the store: a guess would be a loss or a second effect.
Group::Ending Group::find_out(const SqlError& error) {
  const std::int64_t found = sequence_in_file(error.primary() == SQLITE_FULL);
  if (found == sequence_) return Ending::lost;
  if (found != sequence_ + 1) database_.die("another process has written to it as its owner");
  // It took place, but the sync may be what failed: copying it into the file syncs it once more.
  try {
    database_.connection().exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const SqlError& e) {
    database_.die(std::string("what was committed cannot be synced: ") + e.what());
  }
  return Ending::committed;
}

std::int64_t Group::sequence_in_file(bool disk_full) {
  Connection& connection = database_.connection();
  if (disk_full) {
    // Opening the file again may fail where this connection still works; and it knows: a commit that was not
    // written completely is not visible to it.
    try {
      if (connection.in_transaction()) rollback_.run();
      return read_identity(connection).sequence;
    } catch (const SqlError&) {
      // Then the other way.
    }
  }
  begun_ = false;
  database_.reconnect();
  return database_.identity().sequence;
}

void Group::lose(std::optional<StoreError> trouble) noexcept {
  try {
    if (begun_ && database_.connection().in_transaction()) {
      database_.connection().reset_open_statements();
      rollback_.run();
    }
  } catch (const SqlError& e) {
    trouble = database_.store_error(e);
  }
  // A group nobody had joined is no loss: what others have looked up is still so.
  if (records_ > 0) {
    ++epoch_;
    trouble_ = std::move(trouble);
  }
  end(false);
}

void Group::end(bool durable) noexcept {
  end_span();
  begun_ = false;
  records_ = 0;
  since_.reset();
  ++serial_;
  for (Participant* participant : participants_) durable ? participant->committed() : participant->lost();
  participants_.clear();
  for (auto& batch : joined_)
    for (Settlement& settlement : batch.settlements) settlement.durable = durable;
  settlements_.post(joined_);
  if (joined_.size() > listeners_kept) joined_.clear();
  (void)IDEM_FAILPOINT("store.settled");
}

void Group::run_alone(const std::function<void()>& work) {
  commit();
  database_.require_alive();
  begin();
  const std::uint64_t mine = serial_;
  try {
    work();
    if (!alive() || serial_ != mine)
      throw TransactionError("an error ended the transaction: nothing of it was written");
    if (run_commit() == Ending::committed) end(true);
  } catch (const SqlError& e) {
    const StoreError meaning = database_.store_error(e);
    lose(meaning);
    throw meaning;
  } catch (...) {
    lose(std::nullopt);
    throw;
  }
}

}  // namespace idem::sqlite
