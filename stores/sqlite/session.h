// One worker's way into the store.
//
// The write turn is taken for a run's look-up, then again for each message: when its handler first touches the
// transaction, or at finish if it never does. It is kept until finish or roll_back.
//
// Messages that follow each other share a span of the group. When one fails, those before it in the span are taken
// back with it and run again one by one; then spans grow again by doubling.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "sqlite/ledger.h"
#include "sqlite/transaction.h"

namespace idem::sqlite {

class SqliteSession final : public Session {
 public:
  SqliteSession(std::shared_ptr<SqliteLedger> ledger, SettleListener& listener);
  /// Waits until nothing is on its way to the listener.
  ~SqliteSession() override;

  void look_up(std::span<const Record* const> records, std::span<Seen> seen) override;
  Transaction& begin(const Record& record) override;
  Joined finish(const Record& record, const Conclusion& conclusion) override;
  Joined claim(const Record& record) override;
  Joined roll_back() override;
  std::size_t taken_back() const override { return taken_back_; }
  void yield() override;

 private:
  using Clock = Group::Clock;

  class MessageTransaction final : public SqliteTransaction {
   public:
    MessageTransaction(Writer& writer, SqliteSession& session) : SqliteTransaction(writer), session_(session) {}

   private:
    void touch() override { session_.touch(); }
    void abandon() override { session_.abandon(); }
    SqliteSession& session_;
  };

  void touch();
  void enter_scope();
  void enter_span();
  void close_scope();
  void abandon() noexcept;
  void undo();
  void undo_with_its_span(const std::optional<StoreError>& why);
  void take_turn();
  void leave_turn();

  template <class Work>
  Joined in_turn(Work work);
  bool begin_group_if_alone(const Record& record);
  Joined conclude(const Record& record, const Conclusion& conclusion);
  Joined put_claim(const Record& record);
  Joined done(const Record& record, const std::optional<std::string_view>& result);
  Joined parked(const Record& record, const Conclusion& conclusion);
  Joined delayed(const Record& record, const Conclusion& conclusion);
  Joined skipped(const Record& record);
  void write_in_own_span();
  Joined join(const Record& record);
  Joined refuse();

  bool interrupted() const { return epoch_ != group_.epoch(); }
  bool has_written() const { return written_in_ == group_.serial(); }
  bool writes_are_gone() const { return written_in_ != 0 && !has_written(); }
  std::size_t span_limit() const { return one_by_one_ > 0 ? 1 : span_limit_; }

  const std::shared_ptr<SqliteLedger> ledger_;
  Writer& writer_;
  Group& group_;
  SettleListener& listener_;
  MessageTransaction tx_;

  bool busy_ = false;                   // between look_up and yield
  std::uint64_t epoch_ = 0;             // the group's, at the last look_up; 0: none yet
  IdIndex::Moment looked_up_at_ = 0;    // the ids', then
  std::size_t rest_of_run_ = 0;         // records looked up and not yet begun or finished

  const Record* scope_of_ = nullptr;          // the record between begin and finish or roll_back
  const Writer* outer_handler_of_ = nullptr;  // whose handler called, if it has a store of its own
  std::uint64_t written_in_ = 0;              // the group in whose span it may have written; 0: none
  std::optional<Writer::Hold> hold_;
  Clock::time_point begun_{}, touched_{};

  std::size_t span_limit_ = 1;  // records in a span, grows by doubling
  std::size_t one_by_one_ = 0;  // so many records get a span of their own, since one of them fails
  std::size_t taken_back_ = 0;  // by the last undo()
};

/// True while a handler of this store runs on this thread.
bool inside_handler_of(const Writer& writer);

}  // namespace idem::sqlite
