#include "sqlite/transaction.h"

#include <utility>

#include "runtime/failpoint.h"

namespace idem::sqlite {

void SqliteTransaction::open() {
  native_used_ = false;
  user_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

void SqliteTransaction::close() {
  user_.store(std::thread::id{}, std::memory_order_relaxed);
  if (!native_used_) return;
  native_used_ = false;
  writer_.connection().reset_open_statements();
}

void SqliteTransaction::require_open() const {
  if (user_.load(std::memory_order_relaxed) != std::this_thread::get_id())
    throw TransactionError("idem: the transaction was used after its handler had returned, or by another thread");
}

void* SqliteTransaction::native_handle() {
  require_open();
  touch();
  native_used_ = true;
  return writer_.connection().handle();
}

std::int64_t SqliteTransaction::execute(std::string_view sql, std::span<const Value> values) {
  require_open();
  touch();
  try {
    const auto statement = writer_.user_statements().get(sql);
    const std::int64_t before = writer_.connection().total_changes();
    statement->bind(values);
    statement->statement().run_bound();
    (void)IDEM_FAILPOINT("store.first_write");
    return writer_.connection().total_changes() != before ? writer_.connection().changes() : 0;
  } catch (const SqlError& e) {
    fail(e);
  }
}

void SqliteTransaction::select(std::string_view sql, std::span<const Value> values,
                               const std::function<void(const Row&)>& on_row) {
  require_open();
  touch();
  try {
    const auto statement = writer_.user_statements().get(sql);
    statement->bind(values);
    Statement::Rows rows(statement->statement());
    while (rows.next()) on_row(rows);
  } catch (const SqlError& e) {
    fail(e);
  }
}

std::string SqliteTransaction::enqueue(std::string_view destination, OutgoingMessage&& message) {
  require_open();
  touch();
  try {
    return Outbox::insert_into(writer_.outbox(), destination, std::move(message));
  } catch (const SqlError& e) {
    fail(e);
  }
}

// Most errors undo their own statement and nothing else. Some end the whole transaction, and with it what other
// messages have in it; a statement after that would run, and commit, outside of any transaction.
void SqliteTransaction::fail(const SqlError& error) {
  Group& group = writer_.group();
  if (!error.store_fault()) {
    if (!group.alive()) group.lose(std::nullopt);
    throw TransactionError(error.what());
  }
  const StoreError meaning = writer_.database().store_error(error);
  if (!group.alive()) group.lose(meaning);
  abandon();
  throw meaning;
}

}  // namespace idem::sqlite
