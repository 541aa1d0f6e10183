#include "sim/ledger.h"

#include <algorithm>

namespace idem::sim {

SimLedger::SimLedger(History& history, SimStore& store, int node)
    : history_(history), store_(store), node_(node) {
  store_.ledgers.push_back(this);
}

SimLedger::~SimLedger() { std::erase(store_.ledgers, this); }

const HashKey& SimLedger::hash_key() const {
  static const HashKey key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  return key;
}

bool SimLedger::group_has(const IdKey& id) const {
  return std::any_of(group_.begin(), group_.end(), [&](const Joiner& j) { return j.remember && j.id == id; });
}

bool SimLedger::group_claims(const IdKey& id) const {
  return std::any_of(group_.begin(), group_.end(), [&](const Joiner& j) { return j.is_claim && j.id == id; });
}

bool SimLedger::group_finishes(std::uint32_t partition, std::int64_t offset) const {
  return std::any_of(group_.begin(), group_.end(), [&](const Joiner& j) {
    return j.positioned && !j.is_skip && j.partition == partition && j.to == offset + 1;
  });
}

bool SimLedger::group_ends(std::int64_t returning) const {
  return std::any_of(group_.begin(), group_.end(),
                     [&](const Joiner& j) { return returning != 0 && j.returning == returning && !j.is_claim; });
}

bool SimLedger::scope_has(const IdKey& id, const SimSession* except) const {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [&](const SimSession* s) { return s != except && s->scope() && s->scope()->id == id; });
}

bool SimLedger::any_scope() const {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [](const SimSession* s) { return s->scope() != nullptr; });
}

void SimLedger::check_usable() {
  if (!gone_ && history_.fault(Fault::store_gone, 64)) {
    gone_ = true;
    history_.saw(Saw::store_gone);
    history_.trace("node %d    store is gone", node_);
  }
  if (gone_) throw StoreError("gone", /*transient=*/false);
  if (history_.fault(Fault::store_busy, 12)) {
    history_.trace("node %d    store is busy", node_);
    throw StoreError("busy", /*transient=*/true);
  }
}

// --- The group
// ----------------------------------------------------------------------------------------------------

void SimLedger::join(Joiner joiner) {
  group_.push_back(std::move(joiner));
  if (group_.size() > 2 && !history_.healing && history_.choices.detail(4) == 1) close();  // full
}

void SimLedger::close() {
  history_.trace("node %d    COMMIT begins", node_);
  stage_ = Stage::closed;
  settled_early_ = mutated(StoreMutant::settled_before_synced);
  if (settled_early_) report(group_, true);
}

void SimLedger::step() {
  switch (stage_) {
    case Stage::open:
      return close();
    case Stage::closed:
      return decide();
    case Stage::half_applied:
      store_.apply_records(group_, number_);
      stage_ = Stage::applied;
      return;
    case Stage::applied:
      return settle(true);
    case Stage::not_applied:
      if (mutated(StoreMutant::error_is_success)) return settle(true);
      return lose_group();
    case Stage::unknown_applied:
    case Stage::unknown_not_applied: {
      const auto& groups = store_.durable.groups;
      const bool found = std::find(groups.begin(), groups.end(), number_) != groups.end();
      history_.trace("node %d    looks the unknown group up: %s", node_, found ? "there" : "not there");
      return found ? settle(true) : lose_group();
    }
  }
}

void SimLedger::decide() {
  number_ = store_.next_group++;
  if (breaks_unique_rule()) {
    history_.saw(Saw::unique_rule_at_commit);
    history_.trace("node %d    COMMIT refused: an id is there already", node_);
    stage_ = Stage::not_applied;
  } else if (history_.fault(Fault::commit_failed, 5)) {
    history_.trace("node %d    COMMIT failed", node_);
    stage_ = Stage::not_applied;
  } else if (history_.fault(Fault::commit_unknown, 4)) {
    const bool applied = history_.choices.pick(2) == 1;
    history_.trace("node %d    COMMIT unknown, in fact %s", node_, applied ? "applied" : "not applied");
    history_.saw(applied ? Saw::unknown_applied : Saw::unknown_not_applied);
    if (applied) apply();
    stage_ = applied ? Stage::unknown_applied : Stage::unknown_not_applied;
  } else if (mutated(StoreMutant::record_outside)) {
    store_.apply_effects(group_);
    stage_ = Stage::half_applied;
  } else {
    history_.trace("node %d    COMMIT is durable", node_);
    apply();
    stage_ = Stage::applied;
  }
}

void SimLedger::apply() {
  const std::uint64_t before = store_.began_to_return;
  store_.apply(group_, number_);
  own_delays_ += store_.began_to_return - before;
}

bool SimLedger::breaks_unique_rule() const {
  if (mutated(StoreMutant::check_then_insert)) return false;
  return std::any_of(group_.begin(), group_.end(), [&](const Joiner& j) {
    if (j.returning != 0 && j.kind != Conclusion::Kind::skipped && !store_.durable.find_returning(j.returning)) return true;
    if (j.is_claim)
      return (j.returning == 0 && store_.durable.find(*j.id) != nullptr) || store_.durable.find_claim(*j.id) != nullptr;
    if (j.remember) return store_.durable.find(*j.id) != nullptr;
    return j.positioned && j.kind == Conclusion::Kind::parked && store_.durable.progress[j.partition].contains(j.to - 1);
  });
}

bool SimLedger::commit_now() {
  const std::uint64_t lost_before = lost_groups_;
  while (has_work()) step();
  return lost_groups_ == lost_before;
}

void SimLedger::settle(bool durable) {
  std::vector<Joiner> group;
  group.swap(group_);
  kept_ = 0;
  stage_ = Stage::open;
  if (durable) count(group);
  if (!std::exchange(settled_early_, false)) report(group, durable);
}

void SimLedger::count(const std::vector<Joiner>& group) {
  for (const Joiner& j : group) {
    given_up_ += gives_up(j.kind, j.reason);
    successes_ += j.kind == Conclusion::Kind::done && !j.is_skip && !j.is_claim;
  }
}

void SimLedger::report(const std::vector<Joiner>& group, bool durable) {
  for (const Joiner& joiner : group) {
    const Settlement settlement{joiner.token, durable};
    joiner.listener->on_settled({&settlement, 1});
  }
}

void SimLedger::lose_group() {
  ++lost_groups_;
  history_.trace("node %d    a group of %zu is lost", node_, group_.size());
  settle(false);
}

// --- Ledger
// -------------------------------------------------------------------------------------------------------

Ledger::Opened SimLedger::open(const PartitionRef& partition) {
  if (committing()) commit_now();
  const auto slot = static_cast<std::uint32_t>(partition.partition);
  return {slot, store_.durable.progress[slot], store_.durable.origin[slot]};
}

void SimLedger::reset(std::uint32_t slot, const Progress& progress, std::string_view origin) {
  if (std::any_of(group_.begin(), group_.end(), [&](const Joiner& j) { return j.partition == slot; }))
    history_.violate("L2", "a partition is reset with records in flight");
  store_.durable.progress[slot] = progress;
  store_.durable.origin[slot] = origin;
}

void SimLedger::skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
                     SettleListener& listener) {
  if (committing()) throw StoreError("the write turn is taken", /*transient=*/true);
  check_usable();
  Joiner joiner;
  joiner.token = token;
  joiner.listener = &listener;
  joiner.is_skip = true;
  joiner.partition = slot;
  joiner.from = from;
  joiner.to = to;
  join(std::move(joiner));
}

Ledger::Returning SimLedger::returning(const PartitionRef& partition, Timestamp now, std::size_t limit,
                                       const std::function<bool(std::int64_t)>& in_hand) {
  if (committing()) throw StoreError("the write turn is taken", /*transient=*/true);
  check_usable();
  std::vector<const Durable::Returning*> in_order;
  for (const Durable::Returning& r : store_.durable.returning)
    if (r.message.partition == partition && !in_hand(r.message.number)) in_order.push_back(&r);
  std::stable_sort(in_order.begin(), in_order.end(),
                   [](const auto* a, const auto* b) { return a->message.due < b->message.due; });
  Returning answer;
  for (const Durable::Returning* r : in_order) {
    if (r->message.due > now || answer.messages.size() == limit) {
      answer.next_due = r->message.due;
      break;
    }
    history_.trace("node %d    takes %d@%d back", node_, r->place.partition, static_cast<int>(r->place.offset));
    history_.saw(Saw::returned);
    answer.messages.push_back(r->message);
  }
  return answer;
}

std::unique_ptr<Session> SimLedger::session(SettleListener& listener) {
  auto session = std::make_unique<SimSession>(history_, *this, listener);
  sessions_.push_back(session.get());
  return session;
}

}  // namespace idem::sim
