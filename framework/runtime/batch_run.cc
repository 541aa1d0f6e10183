#include "runtime/batch_run.h"

#include <algorithm>
#include <numeric>

#include "core/mutant.h"
#include "core/parking_ration.h"
#include "runtime/dead_letter.h"
#include "runtime/failpoint.h"

namespace idem::runtime {

using core::Completion;
using core::Mutant;
using core::mutated;
using core::Verdict;

void BatchRun::start(core::Batch& batch) {
  batch_ = &batch;
  todo_.resize(batch.items.size());
  std::iota(todo_.rbegin(), todo_.rend(), std::size_t{0});
  joined_.clear();
  phase_ = Phase::look_up;
  cut_ = false;
  failed_lanes_.clear();
  parked_lanes_.clear();
  outcome_.reset();
  start_batch(batch);
}

bool BatchRun::step() {
  try {
    switch (phase_) {
      case Phase::look_up: look_up(); break;
      case Phase::handle: handle(); break;
      case Phase::conclude: {
        phase_ = Phase::handle;
        const Outcome outcome = std::move(*outcome_);
        outcome_.reset();
        conclude(item(), outcome);
        break;
      }
      case Phase::through: break;
    }
  } catch (const StoreError& e) {
    hand_back_rest(e.transient() ? Completion::Kind::store_busy : Completion::Kind::returned);
    if (!e.transient()) throw;
  }
  return phase_ != Phase::through;
}

void BatchRun::look_up() {
  records_.clear();
  for (core::Delivery* d : batch_->items) records_.push_back(&d->record);
  seen_.assign(records_.size(), Seen::fresh);
  session_.look_up(records_, seen_);
  (void)IDEM_FAILPOINT("worker.looked_up");
  phase_ = Phase::handle;
}

// Decides what is to be done with the item, and calls the handler if that is what it takes.
void BatchRun::handle() {
  core::Delivery& d = item();
  if (cut_ || d.stale() || lane_failed(d)) return hand_back(Completion::Kind::returned);

  const Seen seen = seen_[todo_.back()];
  if (seen == Seen::duplicate) return finish(Conclusion::Kind::skipped);
  if ((seen == Seen::conflict || seen == Seen::claim_conflict) && policy_.on_conflict == OnConflict::park)
    return park(ParkReason::id_conflict, "its id was used before for a message with other content", 0);
  if (seen == Seen::conflict || (seen == Seen::claim_conflict && mutated(Mutant::claimed_copy_skipped)))
    return finish(Conclusion::Kind::skipped);
  if (d.must_park == ParkReason::no_id) return park(*d.must_park, "no id was found in the message", 0);
  if (d.must_park && may_give_up()) return park(*d.must_park, d.why, d.attempts);
  d.must_park.reset();
  if (seen == Seen::undecidable && policy_.on_undecidable == OnUndecidable::park)
    return park(ParkReason::undecidable, "not newer than what has been forgotten: it may be a copy", 0);

  // A copy of what is claimed and not concluded is not yet done, whatever is in it: it must not be skipped.
  attend(d, seen == Seen::claim_conflict ? Seen::claimed : seen);
}

void BatchRun::await_conclusion(Outcome outcome) {
  outcome_ = std::move(outcome);
  phase_ = Phase::conclude;
}

std::optional<std::string> BatchRun::too_large(const Outcome& outcome) const {
  if (!outcome.result() || outcome.result()->size() <= policy_.max_result_bytes) return std::nullopt;
  return "its result of " + std::to_string(outcome.result()->size()) + " bytes is above max_result_bytes (" +
         std::to_string(policy_.max_result_bytes) + ")";
}

void BatchRun::finish(Conclusion::Kind kind, const std::optional<std::string>& result) {
  core::Delivery& d = item();
  // Written before it joins: from then on it belongs to the group, and another thread may settle it at once.
  d.verdict = kind == Conclusion::Kind::done ? Verdict::done : Verdict::duplicate;
  Conclusion conclusion;
  conclusion.kind = kind;
  if (result) conclusion.result = *result;
  switch (session_.finish(d.record, conclusion)) {
    case Joined::joined: return joined();
    case Joined::again: return run_again();
    case Joined::duplicate:
      if (mutated(Mutant::late_copy_skipped)) return finish(Conclusion::Kind::skipped);
      return hand_back(Completion::Kind::returned);  // a copy or a conflict: the next look-up tells
    case Joined::interrupted: return group_was_lost("its transaction was ended before it could be recorded");
  }
}

void BatchRun::park(ParkReason reason, std::string why, int attempts) {
  core::Delivery& d = item();
  d.verdict = Verdict::parked;
  d.park_reason = reason;
  d.why = why;
  Conclusion conclusion{Conclusion::Kind::parked, reason, std::move(why), attempts};
  if (!policy_.dead_letter_destination.empty()) {
    conclusion.publish_to = policy_.dead_letter_destination;
    conclusion.dead_letter = dead_letter_of(d.message, conclusion);
  }
  parked_lanes_.push_back(d.lane);
  switch (session_.finish(d.record, conclusion)) {
    case Joined::joined: return joined();
    case Joined::again: return run_again();
    case Joined::duplicate: return hand_back(Completion::Kind::returned);
    case Joined::interrupted: return group_was_lost(d.why);
  }
}

// Like parking it: the store has the whole message, and with its commit this one is finished.
void BatchRun::keep_until_due(const Outcome& outcome, int attempts) {
  core::Delivery& d = item();
  d.verdict = Verdict::delayed;
  d.why = outcome.why();
  d.due = policy_.long_delays.due_in(*outcome.delay());
  Conclusion conclusion;
  conclusion.kind = Conclusion::Kind::delayed;
  conclusion.why = d.why;
  conclusion.attempts = attempts;
  conclusion.due = d.due;
  conclusion.maybe_called = d.maybe_called;
  switch (session_.finish(d.record, conclusion)) {
    case Joined::joined: return joined();
    case Joined::again: return run_again();
    case Joined::duplicate: return hand_back(Completion::Kind::returned);
    case Joined::interrupted: return group_was_lost(outcome.why());
  }
}

void BatchRun::give_up_or_retry(const Outcome& outcome) {
  const int attempts = item().attempts + 1;
  if (outcome.kind() == Outcome::Kind::dead_letter) return park(ParkReason::dead_letter, outcome.why(), attempts);
  if (attempts >= policy_.attempts && may_give_up())
    return park(ParkReason::attempts_exhausted, outcome.why(), attempts);
  if (outcome.delay() && policy_.long_delays.keep(item(), *outcome.delay())) return keep_until_due(outcome, attempts);
  fail(outcome.why(), outcome.delay());
}

bool BatchRun::may_give_up() {
  core::Delivery& d = item();
  if (d.ration->held() && !mutated(Mutant::parks_while_open)) return false;
  return d.rationed || (d.rationed = d.ration->take());
}

void BatchRun::fail(std::string why, std::optional<std::chrono::milliseconds> delay) {
  item().why = std::move(why);
  item().delay = delay;
  hand_back(Completion::Kind::retry);
}

// The first time nobody knows whose fault it was, so it is nobody's: the message runs again, in a batch and a group of
// its own. Failing alone it is at fault, and that counts as an attempt. After the last one it is parked, but not here:
// what this batch knows of the ids went with the group, and with it the order of the lane.
void BatchRun::group_was_lost(std::string why) {
  core::Delivery& d = item();
  if (d.record.alone && !d.must_park && !d.executed) {
    if (d.attempts + 1 < policy_.attempts || !may_give_up()) {
      cut_ = !mutated(Mutant::interrupted_goes_on);
      return fail(std::move(why), std::nullopt);
    }
    d.message.attempt = ++d.attempts + 1;
    d.must_park = ParkReason::attempts_exhausted;
    d.why = std::move(why);
  }
  cut_off();
}

void BatchRun::cut_off() {
  cut_ = !mutated(Mutant::interrupted_goes_on);
  item().record.alone = true;
  hand_back(Completion::Kind::returned);
  if (mutated(Mutant::interrupted_goes_on)) failed_lanes_.pop_back();
}

void BatchRun::hand_back(Completion::Kind kind) {
  core::Delivery& d = item();
  WorkerEvent event;
  event.completion = {&d, kind};
  out_.push_back(event);
  failed_lanes_.push_back(d.lane);
  advance();
}

void BatchRun::hand_back_rest(Completion::Kind kind) {
  while (phase_ != Phase::through) hand_back(kind);
}

void BatchRun::advance() {
  todo_.pop_back();
  phase_ = todo_.empty() ? Phase::through : Phase::handle;
}

void BatchRun::joined() {
  joined_.push_back(todo_.back());
  advance();
}

// The store could not undo the item alone. Those it took back come first, as before, and then the item once more: its
// failure has not been counted.
void BatchRun::run_again() {
  for (std::size_t taken_back = session_.taken_back(); taken_back > 0; --taken_back) {
    if (mutated(Mutant::taken_back_runs_last))
      todo_.insert(todo_.begin(), joined_.back());
    else if (!mutated(Mutant::taken_back_is_forgotten))
      todo_.push_back(joined_.back());
    joined_.pop_back();
  }
}

bool BatchRun::parked_before(const core::Delivery& delivery) const {
  return !mutated(Mutant::called_behind_parked) &&
         std::find(parked_lanes_.begin(), parked_lanes_.end(), delivery.lane) != parked_lanes_.end();
}

bool BatchRun::lane_failed(const core::Delivery& delivery) const {
  return !mutated(Mutant::lane_not_held) &&
         std::find(failed_lanes_.begin(), failed_lanes_.end(), delivery.lane) != failed_lanes_.end();
}

}  // namespace idem::runtime
