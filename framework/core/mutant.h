// Bugs on purpose. Each mutant breaks one promise in one place; `tests/simulate --mutants` must catch every one of
// them. In every other build mutated() is a constant false and leaves no trace.
#pragma once

namespace idem::core {

enum class Mutant {
  none,
  done_before_durable,      ///< a message counts as finished when it is handed to a worker
  prefix_skips_gap,         ///< the committed offset is the highest finished one, unfinished ones below it or not
  one_too_far,              ///< the committed offset is the one after the next
  stale_completion_counts,  ///< a completion of an earlier assignment moves the present one on
  in_flight_on_revoke,      ///< at a revoke everything received is committed
  commit_on_lost,           ///< partitions that somebody else owns already are committed
  not_applied_is_done,      ///< a group that failed to commit counts as committed
  parked_before_durable,    ///< a message to be parked counts as finished before the parking lot has it
  copy_does_not_wait,       ///< two copies of one id are handled at once
  lane_not_held,            ///< later messages of a lane pass one that waits for its retry
  interrupted_goes_on,      ///< a run goes on after a group of it was lost
  busy_is_dropped,          ///< a message that the store could not take is forgotten
  start_above_watermark,    ///< an assignment starts at the broker's offset although the store knows better
  id_truncated,             ///< of a long id only the beginning is looked at
  late_copy_skipped,        ///< an id that got in since look-up is taken for a copy without comparing the content
  failed_commit_believed,   ///< an offset commit answered as failed is taken for one that was not applied
  taken_back_is_forgotten,  ///< what the store undid together with a failed message does not run again
  taken_back_runs_last,     ///< it runs again, but after messages that came later
  multiple_over_unfinished, ///< a queue is told "done" of everything below the highest finished delivery
  handed_back_is_acked,     ///< … of a delivery that was handed back to it
  handed_back_is_done,      ///< … of a delivery instead of handing it back
  tags_survive_channel,     ///< … of tags of the channel before
  budget_ignored_at_start,  ///< a partition assigned while the budget is full is read at once
  claim_is_done,            ///< a message counts as finished when it is claimed
  called_unclaimed,         ///< a call is made without the claim that was asked for
  found_claim_unsaid,       ///< a claim that another process left says nothing
  failed_call_unsaid,       ///< a call after one that failed looks like the first
  claimed_copy_skipped,     ///< other content under a claimed id is taken for a copy of something done
  called_behind_claim,      ///< a message is called although one before it in its lane has only been claimed
  called_behind_parked,     ///< … or has been parked, not durably
  key_of_attempt,           ///< the key is another one for each attempt
  parks_while_open,         ///< attempts used up are parked although the breaker is not closed
  ration_overspent,         ///< … or although too few others have succeeded
  delayed_before_durable,   ///< a message with a long delay counts as finished although its group was lost
  delayed_passes_lane,      ///< … goes into the store although the later ones of its lane are to wait
  returns_as_copy,          ///< what comes back is nothing but a message whose id is remembered
};

#ifdef IDEM_MUTANTS
inline thread_local Mutant active_mutant = Mutant::none;
inline bool mutated(Mutant mutant) { return active_mutant == mutant; }
#else
constexpr bool mutated(Mutant) { return false; }
#endif

}  // namespace idem::core
