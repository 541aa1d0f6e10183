#include <idem/once.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "core/idempotency_key.h"
#include "core/siphash.h"
#include "runtime/ids_in_hand.h"

namespace idem {
namespace {

// Whoever would wait longer waits for ever: nothing that a time can be added to.
constexpr std::chrono::hours longest_wait{24 * 365};

/// Waits for the one settlement of a synchronous call.
class Wait final : public SettleListener {
 public:
  void on_settled(std::span<const Settlement> settlements) noexcept override {
    std::lock_guard lock(mutex_);
    settled_ = settlements.back();
    changed_.notify_one();
  }
  bool durable() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return settled_.has_value(); });
    const bool durable = settled_->durable;
    settled_.reset();
    return durable;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Settlement> settled_;
};

/// One request on its way. What it joins to a group settles as not durable only when that group failed, which says nothing
/// of this request: it is tried again.
class Request {
 public:
  Request(TransactionalStore& store, std::string_view consumer, std::string_view id, const OnceOptions& options);

  Once run(const std::function<Outcome(Transaction&)>& fn);
  Once call(const std::function<Outcome(const Attempt&)>& fn, Attempt attempt);

 private:
  bool take_in_hand();
  Seen look_up();
  /// The answer if no handler is to be called for what was seen; nullopt while it is not durable.
  std::optional<Once> ended_before();
  static bool has_ended(Seen seen) { return seen == Seen::duplicate || is_conflict(seen); }
  static bool is_conflict(Seen seen) { return seen == Seen::conflict || seen == Seen::claim_conflict; }
  bool claim();
  bool finish(const Conclusion& conclusion);
  bool settled(Joined joined);
  Outcome inside(const std::function<Outcome(Transaction&)>& fn);
  Conclusion conclusion_of(const Outcome& outcome) const;
  std::optional<std::string> too_large(const Outcome& outcome) const;

  const OnceOptions& options_;
  const std::shared_ptr<Ledger> ledger_;
  Wait wait_;
  const std::unique_ptr<Session> session_;
  Message message_;
  Record record_;
  std::shared_ptr<void> in_hand_;
};

const OnceOptions& valid(std::string_view id, const OnceOptions& options) {
  if (id.empty()) throw std::invalid_argument("idem: once() needs an id");
  if (options.wait.count() < 0) throw std::invalid_argument("idem: OnceOptions::wait must not be negative");
  return options;
}

Request::Request(TransactionalStore& store, std::string_view consumer, std::string_view id, const OnceOptions& options)
    : options_(valid(id, options)),
      ledger_(store.ledger({std::string(consumer), options.retention})),
      session_(ledger_->session(wait_)) {
  message_.id = id;
  message_.topic = "once";
  if (!options.content.empty()) message_.payload = options.content;
  record_.message = &message_;
  record_.id = core::siphash128(ledger_->hash_key(), id);
  record_.fingerprint = options.content.empty() ? 0 : core::siphash64(ledger_->hash_key(), options.content) | 1;
  record_.time = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

bool Request::take_in_hand() {
  const auto wait = std::min<std::chrono::milliseconds>(options_.wait, longest_wait);
  in_hand_ = runtime::IdsInHand::of(ledger_)->wait_for(*record_.id, std::chrono::steady_clock::now() + wait);
  return in_hand_ != nullptr;
}

Seen Request::look_up() {
  const Record* records[] = {&record_};
  Seen seen[1] = {Seen::fresh};
  session_->look_up(records, seen);
  return seen[0];
}

bool Request::settled(Joined joined) {
  if (joined != Joined::joined) return false;
  session_->yield();
  return wait_.durable();
}

bool Request::finish(const Conclusion& conclusion) { return settled(session_->finish(record_, conclusion)); }

bool Request::claim() { return settled(session_->claim(record_)); }

// It may be in the open group: what is told must be durable.
std::optional<Once> Request::ended_before() {
  Conclusion skipped;
  skipped.kind = Conclusion::Kind::skipped;
  if (!finish(skipped)) return std::nullopt;
  Ledger::Ending ending = ledger_->ending(*record_.id);
  if (ending.parked) return Once{Once::Kind::parked, std::nullopt, "what came earlier under this id was parked"};
  return Once{Once::Kind::duplicate, std::move(ending.result)};
}

std::optional<std::string> Request::too_large(const Outcome& outcome) const {
  if (!outcome.result() || outcome.result()->size() <= options_.max_result_bytes) return std::nullopt;
  return "its result of " + std::to_string(outcome.result()->size()) + " bytes is above OnceOptions::max_result_bytes (" +
         std::to_string(options_.max_result_bytes) + ")";
}

/// How it ends in the store, if it does.
Conclusion Request::conclusion_of(const Outcome& outcome) const {
  Conclusion conclusion;
  if (outcome.kind() == Outcome::Kind::dead_letter) {
    conclusion.kind = Conclusion::Kind::parked;
    conclusion.why = outcome.why();
    conclusion.attempts = 1;
  } else if (outcome.result() && !too_large(outcome)) {
    conclusion.result = *outcome.result();
  }
  return conclusion;
}

Once answer_of(Outcome outcome, Once::Kind if_retry) {
  switch (outcome.kind()) {
    case Outcome::Kind::done: return {Once::Kind::applied, outcome.result()};
    case Outcome::Kind::dead_letter: return {Once::Kind::parked, std::nullopt, outcome.why()};
    case Outcome::Kind::retry: break;
  }
  return {if_retry, std::nullopt, outcome.why()};
}

// --- In the store's transaction -------------------------------------------------------------------------------------

/// Nothing of what was written is left if it is not done.
Outcome Request::inside(const std::function<Outcome(Transaction&)>& fn) {
  try {
    Outcome outcome = fn(session_->begin(record_));
    if (const auto why = too_large(outcome)) throw std::length_error("idem: once(): " + *why);
    if (outcome.kind() != Outcome::Kind::done) (void)session_->roll_back();
    return outcome;
  } catch (...) {
    (void)session_->roll_back();
    session_->yield();
    throw;
  }
}

Once Request::run(const std::function<Outcome(Transaction&)>& fn) {
  if (!take_in_hand()) return {Once::Kind::busy};
  for (;;) {
    const Seen seen = look_up();
    if (is_conflict(seen)) return {Once::Kind::conflict};
    if (seen == Seen::duplicate) {
      if (auto answer = ended_before()) return *answer;
      continue;
    }
    const Outcome outcome = inside(fn);
    if (outcome.kind() == Outcome::Kind::retry || finish(conclusion_of(outcome)))
      return answer_of(outcome, Once::Kind::not_applied);
  }
}

// --- Outside --------------------------------------------------------------------------------------------------------

// Claim, call, complete: each is durable before the next. A claim that is found was left by a call nobody knows the end of.
Once Request::call(const std::function<Outcome(const Attempt&)>& fn, Attempt attempt) {
  if (!take_in_hand()) return {Once::Kind::busy};
  for (bool claimed = false; !claimed;) {
    const Seen seen = look_up();
    if (is_conflict(seen)) return {Once::Kind::conflict};
    if (seen == Seen::duplicate) {
      if (auto answer = ended_before()) return *answer;
      continue;
    }
    attempt.maybe_executed = seen == Seen::claimed;
    claimed = attempt.maybe_executed || claim();
  }
  session_->yield();
  const Outcome outcome = fn(attempt);
  if (outcome.kind() != Outcome::Kind::retry) {
    const Conclusion conclusion = conclusion_of(outcome);
    do {
      if (has_ended(look_up())) break;  // by somebody who takes nothing in hand
      if (conclusion.kind == Conclusion::Kind::done) (void)session_->begin(record_);
    } while (!finish(conclusion));
  }
  Once answer = answer_of(outcome, Once::Kind::in_doubt);
  if (const auto why = too_large(outcome)) answer.why = *why + " and was not kept";
  return answer;
}

}  // namespace

Once detail::once_inside(TransactionalStore& store, std::string_view consumer, std::string_view id,
                         const std::function<Outcome(Transaction&)>& fn, const OnceOptions& options) {
  return Request(store, consumer, id, options).run(fn);
}

Once detail::once_outside(TransactionalStore& store, std::string_view consumer, std::string_view id,
                          const std::function<Outcome(const Attempt&)>& fn, const OnceOptions& options) {
  if (!store.traits().claims)
    throw std::invalid_argument("idem: once() with an external call needs a store with claims, and " + store.traits().name +
                                " has none (StoreTraits::claims)");
  const std::string key = core::idempotency_key(consumer, id);
  return Request(store, consumer, id, options).call(fn, {key, 1, false});
}

}  // namespace idem
