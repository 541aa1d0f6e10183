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
    if (joiner.positioned) progress.finish(joiner.from, joiner.to - 1, joiner.print);
    if (joiner.remember) durable.ids.push_back({*joiner.id, joiner.fingerprint});
    if (joiner.id && (joiner.remember || joiner.returning != 0)) durable.end_claim(*joiner.id);
    apply_return(joiner);
    if (mutated(StoreMutant::conflict_ends_claim) && joiner.reason == ParkReason::id_conflict) durable.end_claim(*joiner.id);
    if (joiner.kind == Conclusion::Kind::parked) park(joiner);
    observer_.on_progress(static_cast<int>(joiner.partition));
  }
}

void SimStore::park(const Joiner& joiner) {
  const Place place{static_cast<int>(joiner.partition), joiner.to - 1};
  const bool conflict = joiner.reason == ParkReason::id_conflict;
  if (conflict && durable.conflict_was_redriven(place)) return;
  durable.parked.push_back({place.partition, place.offset, joiner.reason, joiner.id, joiner.kept});
  if (conflict) history_.saw(Saw::conflict_parked);
  observer_.on_parked(place.partition, place.offset, joiner.reason);
}

// --- What comes back ------------------------------------------------------------------------------------------------

void SimStore::apply_return(const Joiner& joiner) {
  const Place place{static_cast<int>(joiner.partition), joiner.to - 1};
  const bool again = joiner.kind == Conclusion::Kind::delayed;
  if (joiner.returning != 0 && (again || !mutated(StoreMutant::end_of_return_not_kept)))
    std::erase_if(durable.returning, [&](const auto& r) { return r.message.number == joiner.returning; });
  if (!again) return;
  ReturningMessage message = joiner.kept;
  message.number = joiner.returning != 0 ? joiner.returning : ++durable.last_returning;
  durable.returning.push_back({std::move(message), joiner.id, place});
  durable.delayed.push_back(place);
  ++began_to_return;
  history_.saw(joiner.returning != 0 ? Saw::delayed_again : Saw::delayed);
}

// With a handler whose effect is outside, the key of a conflict is that of another call: what became of it cannot be told.
std::vector<std::size_t> SimStore::redrivable() const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < durable.parked.size(); ++i)
    if (!history_.scenario.external || durable.parked[i].reason != ParkReason::id_conflict) all.push_back(i);
  return all;
}

void SimStore::redrive(std::size_t i) {
  const Durable::Parked parked = durable.parked[i];
  const Place place{parked.partition, parked.offset};
  history_.trace("store     %d@%d is redriven", place.partition, static_cast<int>(place.offset));
  ReturningMessage message = parked.message;
  message.number = ++durable.last_returning;
  message.due = history_.clock.wall();
  message.attempts = 0;
  message.maybe_called = parked.reason != ParkReason::no_id;
  durable.returning.push_back({std::move(message), parked.id, place});
  durable.redriven.push_back({place, parked.reason});
  if (!mutated(StoreMutant::redriven_stays_parked))
    durable.parked.erase(durable.parked.begin() + static_cast<std::ptrdiff_t>(i));
  ++began_to_return;
  history_.saw(Saw::redriven);
}

}  // namespace idem::sim
