#include "sim/mutants.h"

#include <cstdio>

#include "core/mutant.h"
#include "sim/run.h"
#include "sim/store.h"

namespace idem::sim {
namespace {

using core::Mutant;

struct Named {
  const char* name;
  Mutant mutant = Mutant::none;
  StoreMutant store = StoreMutant::none;
  bool queue = false;     ///< shown on queues only
  bool external = false;  ///< shown with handlers whose effect is outside
};

constexpr Named mutants[] = {
    {"done before durable", Mutant::done_before_durable},
    {"prefix skips a gap", Mutant::prefix_skips_gap},
    {"committed offset one too far", Mutant::one_too_far},
    {"stale completion counts", Mutant::stale_completion_counts},
    {"in-flight offset committed on revoke", Mutant::in_flight_on_revoke},
    {"commit on lost", Mutant::commit_on_lost},
    {"failed group counts as committed", Mutant::not_applied_is_done},
    {"parked before it is durable", Mutant::parked_before_durable},
    {"copies of an id handled at once", Mutant::copy_does_not_wait},
    {"lane not held by a retry", Mutant::lane_not_held},
    {"run goes on after its group was lost", Mutant::interrupted_goes_on},
    {"busy store drops the message", Mutant::busy_is_dropped},
    {"start above the watermark", Mutant::start_above_watermark},
    {"id truncated", Mutant::id_truncated},
    {"late copy skipped without comparing", Mutant::late_copy_skipped},
    {"failed offset commit believed", Mutant::failed_commit_believed},
    {"taken back and forgotten", Mutant::taken_back_is_forgotten},
    {"taken back runs after later ones", Mutant::taken_back_runs_last},
    {"budget ignored at an assignment", Mutant::budget_ignored_at_start},
    {"given up while the breaker is open", Mutant::parks_while_open},
    {"given up beyond the ration", Mutant::ration_overspent},
    {"queue: acknowledged before durable", Mutant::done_before_durable, StoreMutant::none, true},
    {"queue: stale delivery acknowledged", Mutant::stale_completion_counts, StoreMutant::none, true},
    {"queue: failed group acknowledged", Mutant::not_applied_is_done, StoreMutant::none, true},
    {"queue: multiple over an unfinished one", Mutant::multiple_over_unfinished, StoreMutant::none, true},
    {"queue: acknowledged and handed back", Mutant::handed_back_is_acked, StoreMutant::none, true},
    {"queue: running work acknowledged, not handed back", Mutant::handed_back_is_done, StoreMutant::none, true},
    {"queue: parked before it is durable", Mutant::parked_before_durable, StoreMutant::none, true},
    {"queue: copies of an id handled at once", Mutant::copy_does_not_wait, StoreMutant::none, true},
    {"queue: busy store drops the message", Mutant::busy_is_dropped, StoreMutant::none, true},
    {"queue: acknowledged on the next channel", Mutant::tags_survive_channel, StoreMutant::none, true},
    {"store: record outside the transaction", Mutant::none, StoreMutant::record_outside},
    {"store: check, then insert without a rule", Mutant::none, StoreMutant::check_then_insert},
    {"store: commit error taken as success", Mutant::none, StoreMutant::error_is_success},
    {"store: settled before synced", Mutant::none, StoreMutant::settled_before_synced},
    {"call: claimed is done", Mutant::claim_is_done, StoreMutant::none, false, true},
    {"call: made without a claim", Mutant::called_unclaimed, StoreMutant::none, false, true},
    {"call: a claim found and not said", Mutant::found_claim_unsaid, StoreMutant::none, false, true},
    {"call: a failed one forgotten", Mutant::failed_call_unsaid, StoreMutant::none, false, true},
    {"call: other content under a claimed id skipped", Mutant::claimed_copy_skipped, StoreMutant::none, false, true},
    {"call: made behind a claim of its lane", Mutant::called_behind_claim, StoreMutant::none, false, true},
    {"call: made behind what is not durably parked", Mutant::called_behind_parked, StoreMutant::none, false, true},
    {"call: a key for each attempt", Mutant::key_of_attempt, StoreMutant::none, false, true},
    {"store: a conflict ends the claim", Mutant::none, StoreMutant::conflict_ends_claim, false, true},
    {"store: a claim that is not kept", Mutant::none, StoreMutant::claim_not_kept, false, true},
    {"long delay: finished before it is durable", Mutant::delayed_before_durable},
    {"long delay: passes a lane that is to wait", Mutant::delayed_passes_lane},
    {"redriven, and taken for a copy", Mutant::returns_as_copy},
    {"store: what came back and ended comes back again", Mutant::none, StoreMutant::end_of_return_not_kept},
    {"store: redriven, and redriven again", Mutant::none, StoreMutant::redriven_stays_parked},
    {"queue: long delay finished before it is durable", Mutant::delayed_before_durable, StoreMutant::none, true},
    {"call: redriven, and taken for a copy", Mutant::returns_as_copy, StoreMutant::none, false, true},
    {"call, queue: claimed is done", Mutant::claim_is_done, StoreMutant::none, true, true},
};

bool caught(const Named& mutant, std::uint64_t first_seed, std::uint64_t limit) {
  core::active_mutant = mutant.mutant;
  active_store_mutant = mutant.store;
  Sightings unused;
  Verdict verdict;
  Limits limits;
  limits.queue = mutant.queue;
  limits.external = mutant.external;
  std::uint64_t tried = 0;
  while (tried < limit && !verdict.violated()) verdict = run_history(first_seed + tried++, unused, limits);
  core::active_mutant = Mutant::none;
  active_store_mutant = StoreMutant::none;
  if (verdict.violated())
    std::printf("%-45s caught after %7llu  %-3s %s\n", mutant.name, static_cast<unsigned long long>(tried),
                verdict.invariant.c_str(), verdict.detail.c_str());
  else
    std::printf("%-45s SURVIVED %llu histories\n", mutant.name, static_cast<unsigned long long>(tried));
  std::fflush(stdout);
  return verdict.violated();
}

}  // namespace

bool run_mutants(std::uint64_t first_seed, std::uint64_t limit) {
  std::size_t count = 0;
  for (const Named& mutant : mutants) count += caught(mutant, first_seed, limit);
  std::printf("mutants caught %zu of %zu\n", count, std::size(mutants));
  return count == std::size(mutants);
}

}  // namespace idem::sim
