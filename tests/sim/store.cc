#include "sim/store.h"

namespace idem::sim {

void SimStore::apply(const std::vector<Joiner>& group, std::uint64_t number) {
  apply_effects(group);
  apply_records(group, number);
}

void SimStore::apply_effects(const std::vector<Joiner>& group) {
  for (const Joiner& joiner : group)
    durable.effects.insert(durable.effects.end(), joiner.effects.begin(), joiner.effects.end());
}

void SimStore::apply_records(const std::vector<Joiner>& group, std::uint64_t number) {
  durable.groups.push_back(number);
  for (const Joiner& joiner : group) {
    Progress& progress = durable.progress[joiner.partition];
    if (joiner.is_skip) {
      progress.skip(joiner.from, joiner.to);
      history_.saw(Saw::skip_settled);
      continue;
    }
    if (joiner.is_claim) {
      if (!mutated(StoreMutant::claim_not_kept)) durable.claims.push_back({*joiner.id, joiner.fingerprint});
      continue;
    }
    const std::int64_t offset = joiner.to - 1;
    if (joiner.positioned) progress.finish(joiner.from, offset, joiner.print);
    if (joiner.remember) {
      durable.ids.push_back({*joiner.id, joiner.fingerprint});
      durable.end_claim(*joiner.id);
    }
    if (mutated(StoreMutant::conflict_ends_claim) && joiner.reason == ParkReason::id_conflict) durable.end_claim(*joiner.id);
    if (joiner.kind == Conclusion::Kind::parked) {
      durable.parked.push_back({static_cast<int>(joiner.partition), offset, joiner.reason});
      if (joiner.reason == ParkReason::id_conflict) history_.saw(Saw::conflict_parked);
      observer_.on_parked(static_cast<int>(joiner.partition), offset, joiner.reason);
    }
    observer_.on_progress(static_cast<int>(joiner.partition));
  }
}

}  // namespace idem::sim
