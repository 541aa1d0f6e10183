#include "sqlite/writer.h"

#include "runtime/log.h"

namespace idem::sqlite {
namespace {
constexpr std::chrono::minutes between_warnings{1};
}

Writer::Writer(const SqliteOptions& options)
    : group_messages_(options.group_messages),
      group_age_(options.group_age),
      longest_span_(options.longest_span),
      ids_in_memory_(options.ids_in_memory),
      database_(options),
      user_statements_(database_.connection()),
      group_(database_, settlements_) {
  committer_.emplace([this] { commit_if_due(); });
}

// What is still open was joined by somebody who has gone without waiting for it. It is complete: keep it.
Writer::~Writer() {
  committer_.reset();
  group_.commit();
  settlements_.deliver();
}

Writer::Hold::Hold(Writer& writer) : writer_(writer) {
  writer_.turn_.take();
  try {
    writer_.database_.require_alive();
  } catch (...) {
    writer_.turn_.leave(WriteTurn::Leave::for_good);
    throw;
  }
}

Writer::Hold::~Hold() {
  writer_.turn_.leave(leave_);
  writer_.settlements_.deliver();
}

void Writer::joined(SettleListener& listener, std::uint64_t token, Group::Clock::time_point now) {
  group_.join(listener, token);
  if (due(now)) return commit();
  if (group_.records() == 1) commit_soon();
}

void Writer::commit_soon() {
  group_.ask_for_commit();
  committer_->commit_by(*group_.since() + group_age_);
}

Outbox& Writer::make_outbox() {
  if (!outbox_) outbox_ = std::make_unique<Outbox>(*this);
  return *outbox_;
}

bool Writer::due(Group::Clock::time_point now) const {
  const bool full = group_.records() >= group_messages_ || (outbox_ && outbox_->full());
  return full || (group_.since() && now >= *group_.since() + group_age_);
}

void Writer::commit() {
  group_.commit();
  committer_->nothing_open();
}

void Writer::session_idle() {
  if (--busy_sessions_ == 0) commit();
}

void Writer::commit_if_due() {
  turn_.take();
  if (due(Group::Clock::now()))
    commit();
  else if (group_.since())
    commit_soon();
  else
    committer_->nothing_open();
  turn_.leave(WriteTurn::Leave::for_good);
  settlements_.deliver();
}

void Writer::warn_of_long_turn(Group::Clock::duration held, const Message& message) {
  const auto now = Group::Clock::now();
  if (warned_ && now - *warned_ < between_warnings) return;
  warned_ = now;
  runtime::log().warn(
      "idem: the handler of {}/{} at {} held the write turn of {} for {} ms; every other handler waited. Do slow work "
      "first and touch the transaction last.",
      message.topic, message.partition, message.offset, database_.path(),
      std::chrono::duration_cast<std::chrono::milliseconds>(held).count());
}

void Writer::run_alone(const std::function<void()>& work) {
  try {
    group_.run_alone(work);
  } catch (const SqlError& e) {
    throw database_.store_error(e);
  }
  committer_->nothing_open();
}

}  // namespace idem::sqlite
