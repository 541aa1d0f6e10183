#include "sqlite/session.h"

#include <algorithm>
#include <utility>

#include "runtime/failpoint.h"

namespace idem::sqlite {
namespace {

// A handler that touches the transaction this soon leaves the turn only for a moment between two messages: waking
// another worker would cost more than it waits.
constexpr std::chrono::microseconds soon{20};
constexpr std::chrono::milliseconds long_turn{250};

thread_local const Writer* handler_of = nullptr;

}  // namespace

bool inside_handler_of(const Writer& writer) { return handler_of == &writer; }

SqliteSession::SqliteSession(std::shared_ptr<SqliteLedger> ledger, SettleListener& listener)
    : ledger_(std::move(ledger)),
      writer_(ledger_->writer()),
      group_(writer_.group()),
      listener_(listener),
      tx_(writer_, *this) {}

SqliteSession::~SqliteSession() {
  abandon();
  try {
    yield();
    Writer::Hold hold(writer_);
    if (group_.holds_records_of(listener_)) writer_.commit();
  } catch (const std::exception&) {
    // A dead store has no open group; what it owed was settled as not durable when it died.
  }
  writer_.settlements().wait_delivered(listener_);
}

void SqliteSession::look_up(std::span<const Record* const> records, std::span<Seen> seen) {
  abandon();  // a StoreError left the handler: nobody has ended its scope
  Writer::Hold hold(writer_);
  const bool lost_something = epoch_ != 0 && interrupted();
  epoch_ = group_.epoch();
  if (lost_something && group_.trouble()) throw *group_.trouble();
  try {
    group_.close_span();  // what is looked up now must stay
    ledger_->turn_over();
    ledger_->look_up(records, seen);
  } catch (const SqlError& e) {
    if (!group_.alive()) group_.lose(std::nullopt);
    throw writer_.database().store_error(e);
  }
  epoch_ = group_.epoch();
  looked_up_at_ = ledger_->now();
  rest_of_run_ = records.size();
  if (!std::exchange(busy_, true)) writer_.session_busy();
}

Transaction& SqliteSession::begin(const Record& record) {
  abandon();
  scope_of_ = &record;
  begun_ = Clock::now();
  outer_handler_of_ = std::exchange(handler_of, &writer_);
  tx_.open();
  return tx_;
}

// --- The message's scope --------------------------------------------------------------------------------------

void SqliteSession::touch() {
  if (hold_ && has_written()) return;
  if (hold_) throw TransactionError("the transaction was ended by an earlier error; nothing more can be written in it");
  take_turn();
  try {
    enter_scope();
  } catch (const SqlError& e) {
    const StoreError meaning = writer_.database().store_error(e);
    if (!group_.alive()) group_.lose(meaning);
    abandon();
    throw meaning;
  } catch (...) {
    hold_.reset();
    throw;
  }
}

void SqliteSession::enter_scope() {
  if (scope_of_->alone) writer_.commit();
  if (interrupted()) throw TransactionError("another message's failure ended the group; this one runs again");
  group_.begin();
  enter_span();
  writer_.database().guard().user_begins();
}

void SqliteSession::enter_span() {
  const bool full = group_.span_of(this) && group_.span_records() >= span_limit();
  if (full && one_by_one_ == 0) span_limit_ = std::min(2 * span_limit_, writer_.longest_span());
  if (full || !group_.span_of(this)) group_.open_span(this);
  written_in_ = group_.serial();
}

void SqliteSession::close_scope() {
  if (scope_of_ == nullptr) return;
  tx_.close();
  if (hold_) {
    writer_.database().guard().user_ends();
    const auto held = Clock::now() - touched_;
    if (held > long_turn) writer_.warn_of_long_turn(held, *scope_of_->message);
  }
  scope_of_ = nullptr;
  handler_of = outer_handler_of_;
}

void SqliteSession::abandon() noexcept {
  if (scope_of_ == nullptr && !hold_) return;
  close_scope();
  if (hold_) undo_with_its_span(std::nullopt);
  hold_.reset();
}

// Back to before the handler's first write, or to before that of the first one in its span: those in between run
// again. What cannot be undone alone is undone with the whole group.
void SqliteSession::undo() {
  taken_back_ = 0;
  if (!has_written()) return;
  written_in_ = 0;
  try {
    if (group_.alive()) {
      const std::size_t records = group_.span_records();
      group_.roll_back_span();
      taken_back_ = records;
    }
  } catch (const SqlError& e) {
    group_.lose(writer_.database().store_error(e));
  }
  if (!group_.alive()) group_.lose(std::nullopt);
  span_limit_ = 1;
  one_by_one_ = taken_back_ + 1;
}

// The same where nobody would run the others of the span again: they hear of it with the whole group.
void SqliteSession::undo_with_its_span(const std::optional<StoreError>& why) {
  if (!has_written() || !group_.alive() || group_.span_records() == 0) return undo();
  written_in_ = 0;
  group_.lose(why);
}

void SqliteSession::take_turn() {
  if (hold_) return;
  hold_.emplace(writer_);
  touched_ = Clock::now();
}

void SqliteSession::leave_turn() {
  written_in_ = 0;
  if (rest_of_run_ > 0 && touched_ - begun_ < soon) hold_->back_soon();
  hold_.reset();
}

// --- How it ends ----------------------------------------------------------------------------------------------

Joined SqliteSession::finish(const Record& record, const Conclusion& conclusion) {
  return in_turn([&] { return conclude(record, conclusion); });
}

Joined SqliteSession::claim(const Record& record) {
  return in_turn([&] { return put_claim(record); });
}

template <class Work>
Joined SqliteSession::in_turn(Work work) {
  if (scope_of_ == nullptr) begun_ = Clock::now();
  if (rest_of_run_ > 0) --rest_of_run_;
  taken_back_ = 0;
  close_scope();
  take_turn();
  Joined joined;
  try {
    joined = work();
  } catch (const SqlError& e) {
    const StoreError meaning = writer_.database().store_error(e);
    if (!group_.alive()) group_.lose(meaning);
    undo_with_its_span(meaning);
    leave_turn();
    throw meaning;
  }
  leave_turn();
  return joined;
}

Joined SqliteSession::conclude(const Record& record, const Conclusion& conclusion) {
  if (!group_.alive()) group_.lose(std::nullopt);
  if (interrupted() || writes_are_gone()) {
    undo();
    return Joined::interrupted;
  }
  if (conclusion.kind != Conclusion::Kind::done) undo();
  if (taken_back_ > 0) return Joined::again;
  if (!group_.span_of(this)) group_.close_span();
  if (!begin_group_if_alone(record)) return Joined::interrupted;
  switch (conclusion.kind) {
    case Conclusion::Kind::done:
      return done(record, conclusion.result);
    case Conclusion::Kind::parked:
      return parked(record, conclusion);
    case Conclusion::Kind::delayed:
      return delayed(record, conclusion);
    case Conclusion::Kind::skipped:
      break;
  }
  return skipped(record);
}

/// False: the group before it was lost.
bool SqliteSession::begin_group_if_alone(const Record& record) {
  if (record.alone && !has_written()) writer_.commit();
  return !interrupted();
}

// Nothing is written yet, so there is nothing to undo.
Joined SqliteSession::put_claim(const Record& record) {
  if (!group_.alive()) group_.lose(std::nullopt);
  if (interrupted() || !begin_group_if_alone(record)) return Joined::interrupted;
  group_.close_span();
  if (ledger_->position_done(record)) return Joined::duplicate;
  group_.begin();
  if (!ledger_->claim(record, looked_up_at_)) return Joined::duplicate;
  writer_.joined(listener_, record.token, touched_);
  if (record.alone) writer_.commit();
  return Joined::joined;
}

Joined SqliteSession::done(const Record& record, const std::optional<std::string_view>& result) {
  if (ledger_->position_done(record)) return refuse();
  if (record.returning != 0 && !has_written()) write_in_own_span();
  if (record.id) {
    group_.begin();
    if (result && !has_written()) enter_span();
    if (!ledger_->remember(record, looked_up_at_)) return refuse();
    if (result) ledger_->keep_result(*record.id, *result);
  }
  if (record.returning != 0 && !ledger_->end_return(record)) return refuse();
  (void)IDEM_FAILPOINT("store.record");
  return join(record);
}

Joined SqliteSession::parked(const Record& record, const Conclusion& conclusion) {
  if (ledger_->position_done(record)) return refuse();
  write_in_own_span();
  const bool conflict = conclusion.reason == ParkReason::id_conflict;
  // A conflict says nothing of the message that has the claim: that one is still to be called.
  const bool of_another = conflict && record.id && ledger_->claimed(*record.id);
  if (record.id && !of_another && !ledger_->remember(record, looked_up_at_) && !conflict)
    return refuse();
  if (record.returning != 0 && !ledger_->end_return(record)) return refuse();
  ledger_->park(record, conclusion);
  if (!conclusion.publish_to.empty())
    Outbox::insert_into(writer_.outbox(), conclusion.publish_to, OutgoingMessage(conclusion.dead_letter));
  group_.close_span();
  return join(record);
}

Joined SqliteSession::delayed(const Record& record, const Conclusion& conclusion) {
  if (ledger_->position_done(record)) return refuse();
  write_in_own_span();
  if (record.id && !ledger_->remember(record, looked_up_at_)) return refuse();
  if (!ledger_->delay(record, conclusion)) return refuse();
  group_.close_span();
  return join(record);
}

// A copy of something done, and if it had come back, it does so no more.
Joined SqliteSession::skipped(const Record& record) {
  if (record.returning != 0) {
    group_.begin();
    (void)ledger_->end_return(record);
  }
  return join(record);
}

void SqliteSession::write_in_own_span() {
  group_.begin();
  group_.open_span(this);
  written_in_ = group_.serial();
}

// The id or the position was recorded by another one since look_up: nothing of this one stays.
Joined SqliteSession::refuse() {
  undo();
  return taken_back_ > 0 ? Joined::again : Joined::duplicate;
}

Joined SqliteSession::join(const Record& record) {
  written_in_ = 0;
  if (one_by_one_ > 0) --one_by_one_;
  ledger_->finish_position(record);
  writer_.joined(listener_, record.token, touched_);
  if (record.alone) writer_.commit();
  return Joined::joined;
}

Joined SqliteSession::roll_back() {
  if (rest_of_run_ > 0) --rest_of_run_;
  close_scope();
  take_turn();
  if (!group_.alive()) group_.lose(std::nullopt);
  undo();
  Joined answer = taken_back_ > 0 ? Joined::again : Joined::joined;
  if (interrupted()) answer = Joined::interrupted;
  leave_turn();
  return answer;
}

void SqliteSession::yield() {
  abandon();
  if (!std::exchange(busy_, false)) return;
  Writer::Hold hold(writer_);
  writer_.session_idle();
}

}  // namespace idem::sqlite
