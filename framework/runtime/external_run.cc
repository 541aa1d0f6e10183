#include "runtime/external_run.h"

#include <algorithm>

#include "core/idempotency_key.h"
#include "core/mutant.h"
#include "runtime/failpoint.h"
#include "runtime/guarded.h"
#include "runtime/log.h"

namespace idem::runtime {

using core::Completion;
using core::Mutant;
using core::mutated;
using core::Verdict;

void ExternalRun::start_batch(const core::Batch& batch) {
  claiming_.clear();
  if (policy().ids_in_hand) take_in_hand(*policy().ids_in_hand, batch);
}

void ExternalRun::attend(core::Delivery& d, Seen seen) {
  if (d.executed) return complete(d);
  if (policy().watch && policy().watch->closed()) return hand_back(Completion::Kind::returned);
  if (policy().ids_in_hand && d.record.id && !d.in_hand) return hand_back(Completion::Kind::store_busy);
  if (seen == Seen::claimed && !d.claimed) {
    d.claimed = true;
    d.maybe_called = !mutated(Mutant::found_claim_unsaid);
  }
  if (policy().claims == Claims::durable && seen != Seen::claimed && !mutated(Mutant::called_unclaimed))
    return claim(d);
  if (behind_a_claim(d) || parked_before(d)) return hand_back(Completion::Kind::returned);
  call(d);
}

void ExternalRun::claim(core::Delivery& d) {
  // Written before it joins: from then on it belongs to the group, and another thread may settle it at once.
  d.verdict = Verdict::claimed;
  d.claimed = true;
  core::Lane* const lane = d.lane;
  const Joined answer = session().claim(d.record);
  if (answer == Joined::joined) {
    claiming_.push_back(lane);
    (void)IDEM_FAILPOINT("worker.claimed");
    return joined();
  }
  d.claimed = false;
  if (answer == Joined::duplicate) return hand_back(Completion::Kind::returned);  // the next look-up tells
  cut_off();
}

void ExternalRun::call(core::Delivery& d) {
  const std::string own_id = d.message.id.empty() ? core::id_of_position(d.message) : std::string();
  std::string key = core::idempotency_key(policy().consumer, own_id.empty() ? d.message.id : own_id);
  if (mutated(Mutant::key_of_attempt)) key += std::to_string(d.attempts);
  Attempt attempt{key, d.attempts + 1, d.maybe_called};
  if (attempt.maybe_executed) {
    Resolution earlier = Resolution::unknown;
    Outcome asked = watch(d, attempt, [&] {
      earlier = handler_.resolve(d.message, attempt);
      return done();
    });
    if (asked.kind() != Outcome::Kind::done || earlier == Resolution::executed) return await_conclusion(std::move(asked));
    if (earlier == Resolution::unknown && policy().on_unresolved == OnUnresolved::park)
      return park(ParkReason::unresolved, "an earlier call may have been made, and nobody can say whether it was",
                  d.attempts);
    attempt.maybe_executed = earlier == Resolution::unknown;
  }
  d.maybe_called = true;
  (void)IDEM_FAILPOINT("worker.handler_enter");
  Outcome outcome = watch(d, attempt, [&] { return handler_.handle(d.message, attempt); });
  (void)IDEM_FAILPOINT("worker.handler_return");
  await_conclusion(std::move(outcome));
}

template <class Handle>
Outcome ExternalRun::watch(core::Delivery& d, Attempt& attempt, Handle handle) {
  std::stop_source stop;
  const HandlerWatch::Call call(watched(), d, stop);
  attempt.stop = stop.get_token();
  attempt.deadline = call.deadline();
  return guarded(handle);
}

void ExternalRun::conclude(core::Delivery& d, Outcome outcome) {
  if (outcome.kind() == Outcome::Kind::done) {
    d.executed = true;
    keep_result(d, outcome);
    return complete(d);
  }
  if (mutated(Mutant::failed_call_unsaid)) d.maybe_called = false;
  give_up_or_retry(outcome);
}

// In the delivery, for the group of its end may be lost: the call is not made again for its answer. That the call was made
// is never forgotten because of what it answered.
void ExternalRun::keep_result(core::Delivery& d, const Outcome& outcome) {
  if (const auto why = too_large(outcome)) {
    log().warn("{}/{} at {}: done, but {}: not kept", printable(std::string(d.message.topic)), d.message.partition,
               d.message.offset, *why);
    return;
  }
  d.result = outcome.result();
}

void ExternalRun::complete(core::Delivery& d) {
  (void)session().begin(d.record);  // nothing is written through it: the record alone commits
  finish(Conclusion::Kind::done, d.result);
}

bool ExternalRun::behind_a_claim(const core::Delivery& d) const {
  return !mutated(Mutant::called_behind_claim) && std::find(claiming_.begin(), claiming_.end(), d.lane) != claiming_.end();
}

}  // namespace idem::runtime
