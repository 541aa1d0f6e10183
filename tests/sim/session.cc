// One worker's way into the simulated store: look up, write, join the open group.
#include <algorithm>

#include "runtime/kept_message.h"
#include "sim/ledger.h"

namespace idem::sim {

bool SimSession::interrupted() {
  if (lost_groups_seen_ == ledger_.lost_groups_) return false;
  if (history_.scenario.interrupts_once) lost_groups_seen_ = ledger_.lost_groups_;
  end_scope();
  return true;
}

void SimSession::end_scope() {
  scope_ = nullptr;
  writes_.clear();
}

void SimSession::look_up(std::span<const Record* const> records, std::span<Seen> seen) {
  lost_groups_seen_ = ledger_.lost_groups_;
  ledger_.check_usable();
  ledger_.kept_ = ledger_.group_.size();
  for (std::size_t i = 0; i < records.size(); ++i) seen[i] = this->seen(*records[i]);
}

bool SimSession::position_done(const Record& record) const {
  if (record.partition == Record::no_partition) return false;
  const std::int64_t offset = record.message->offset;
  return ledger_.store_.durable.progress[record.partition].contains(offset) ||
         ledger_.group_finishes(record.partition, offset);
}

const Durable::Returning* SimSession::returning(const Record& record) const {
  if (record.returning == 0 || ledger_.group_ends(record.returning)) return nullptr;
  return ledger_.store_.durable.find_returning(record.returning);
}

bool SimSession::remembered_for_itself(const Record& record) const {
  const Durable::Returning* row = returning(record);
  return row && row->id == record.id;
}

Seen SimSession::seen(const Record& record) const {
  const Durable& durable = ledger_.store_.durable;
  if (position_done(record) || (record.returning != 0 && !returning(record))) return Seen::duplicate;
  if (!record.id) return Seen::fresh;
  if (remembered_for_itself(record)) return claim_seen(record);
  auto compare = [&](std::uint64_t remembered) {
    return remembered && record.fingerprint && remembered != record.fingerprint ? Seen::conflict
                                                                                : Seen::duplicate;
  };
  for (const Joiner& joiner : ledger_.group_)
    if (joiner.remember && joiner.id == record.id) return compare(joiner.fingerprint);
  if (const Durable::Id* found = durable.find(*record.id)) return compare(found->fingerprint);
  return claim_seen(record);
}

Seen SimSession::claim_seen(const Record& record) const {
  const auto compare = [&](std::uint64_t claimed_as) {
    if (claimed_as && record.fingerprint && claimed_as != record.fingerprint) {
      history_.saw(Saw::claim_conflict);
      return Seen::claim_conflict;
    }
    return Seen::claimed;
  };
  for (const Joiner& joiner : ledger_.group_)
    if (joiner.is_claim && joiner.id == record.id) return compare(joiner.fingerprint);
  if (const Durable::Id* claim = ledger_.store_.durable.find_claim(*record.id)) return compare(claim->fingerprint);
  return Seen::fresh;
}

Transaction& SimSession::begin(const Record& record) {
  scope_ = &record;
  writes_.clear();
  if (record.id) {
    if (ledger_.scope_has(*record.id, this) || (record.returning == 0 && ledger_.group_has(*record.id)))
      history_.violate("K38", "two copies of one id are handled at once");
    for (const SimLedger* other : ledger_.store_.ledgers)
      if (other != &ledger_ && (other->scope_has(*record.id, nullptr) || other->group_has(*record.id)))
        history_.saw(Saw::two_nodes_one_id);
  }
  return *this;
}

std::int64_t SimSession::execute(std::string_view, std::span<const Value> values) {
  if (history_.fault(Fault::statement_failed)) throw TransactionError("statement failed");
  writes_.push_back({static_cast<int>(std::get<std::int64_t>(values[0])), std::get<std::int64_t>(values[1]),
                     static_cast<int>(std::get<std::int64_t>(values[2]))});
  return 1;
}

// The unique rule: whether the record's id (or its place, if it has none) got in since look_up.
bool SimSession::taken(const Record& record, const Conclusion& conclusion) {
  if (conclusion.kind == Conclusion::Kind::skipped || mutated(StoreMutant::check_then_insert)) return false;
  if (record.returning != 0) {
    if (!returning(record)) return true;
    if (locked_elsewhere(record)) throw StoreError("it is locked elsewhere", true);
    return false;
  }
  const bool by_id = record.id && conclusion.reason != ParkReason::id_conflict;
  if (!by_id) return position_done(record);
  if (ledger_.store_.durable.find(*record.id) || ledger_.group_has(*record.id)) return true;
  if (locked_elsewhere(record)) throw StoreError("its id is locked elsewhere", true);
  return false;
}

bool SimSession::locked_elsewhere(const Record& record) const {
  if (!history_.scenario.waits_for_others) return false;
  const auto& all = ledger_.store_.ledgers;
  return std::any_of(all.begin(), all.end(), [&](const SimLedger* other) {
    return other != &ledger_ && (other->group_ends(record.returning) ||
                                 (record.id && (other->group_has(*record.id) || other->group_claims(*record.id))));
  });
}

/// Disk full, or what else ends a whole transaction.
bool SimSession::loses_group() {
  if (!history_.fault(Fault::group_lost, 16)) return false;
  history_.saw(Saw::group_lost);
  ledger_.lose_group();
  (void)interrupted();
  return true;
}

Joined SimSession::claim(const Record& record) {
  if (interrupted()) return Joined::interrupted;
  ledger_.check_usable();
  if (loses_group()) return Joined::interrupted;
  if (seen(record) != Seen::fresh) return Joined::duplicate;
  if (locked_elsewhere(record)) throw StoreError("its id is locked elsewhere", true);
  if (record.alone && !ledger_.commit_now()) {
    (void)interrupted();
    return Joined::interrupted;
  }
  const Place place = place_of(*record.message);
  Joiner joiner;
  joiner.token = record.token;
  joiner.listener = &listener_;
  joiner.session = this;
  joiner.is_claim = true;
  joiner.returning = record.returning;
  joiner.id = record.id;
  joiner.fingerprint = record.fingerprint;
  joiner.positioned = false;
  joiner.partition = static_cast<std::uint32_t>(place.partition);
  joiner.to = place.offset + 1;
  history_.trace("node %d    claims %d@%d%s", ledger_.node_, place.partition, static_cast<int>(place.offset),
                 record.alone ? " alone" : "");
  const bool alone = record.alone;
  ledger_.join(std::move(joiner));
  if (alone && !ledger_.committing()) ledger_.close();
  return Joined::joined;
}

// What was written together is undone together: the session's last records of the group.
bool SimSession::take_back() {
  taken_back_ = 0;
  auto& group = ledger_.group_;
  while (one_by_one_ == 0 && taken_back_ + 1 < history_.scenario.longest_span && group.size() > ledger_.kept_ &&
         group.back().session == this) {
    group.pop_back();
    ++taken_back_;
  }
  if (taken_back_ == 0) return false;
  one_by_one_ = taken_back_ + 1;
  history_.saw(Saw::taken_back);
  history_.trace("node %d    takes back %zu records", ledger_.node_, taken_back_);
  return true;
}

namespace {

ReturningMessage kept(const Record& record, const Conclusion& conclusion) {
  ReturningMessage kept;
  runtime::keep(kept, record, conclusion);
  kept.due = conclusion.due;
  kept.maybe_called = conclusion.maybe_called;
  return kept;
}

}  // namespace

Joined SimSession::finish(const Record& record, const Conclusion& conclusion) try {
  if (interrupted()) return Joined::interrupted;
  ledger_.check_usable();
  if (loses_group()) return Joined::interrupted;
  if (taken(record, conclusion)) {
    history_.saw(Saw::unique_rule_at_finish);
    const Place place = place_of(*record.message);
    history_.trace("node %d    finish %d@%d: its id got in meanwhile", ledger_.node_, place.partition,
                   static_cast<int>(place.offset));
    end_scope();
    return take_back() ? Joined::again : Joined::duplicate;
  }
  if (record.alone && !ledger_.commit_now()) {
    (void)interrupted();
    return Joined::interrupted;
  }
  Joiner joiner;
  joiner.token = record.token;
  joiner.listener = &listener_;
  joiner.session = this;
  joiner.kind = conclusion.kind;
  joiner.reason = conclusion.reason;
  joiner.id = record.id;
  joiner.remember =
      record.id && conclusion.kind != Conclusion::Kind::skipped &&
      !(conclusion.kind == Conclusion::Kind::parked && conclusion.reason == ParkReason::id_conflict) &&
      !remembered_for_itself(record);
  joiner.returning = record.returning;
  if (conclusion.kind == Conclusion::Kind::parked || conclusion.kind == Conclusion::Kind::delayed)
    joiner.kept = kept(record, conclusion);
  joiner.fingerprint = record.fingerprint;
  const Place place = place_of(*record.message);
  joiner.positioned = record.partition != Record::no_partition;
  joiner.partition = static_cast<std::uint32_t>(place.partition);
  joiner.from = record.from;
  joiner.to = place.offset + 1;
  joiner.print = record.print;
  if (conclusion.kind == Conclusion::Kind::done) joiner.effects = std::move(writes_);
  static constexpr const char* names[] = {"done", "skipped", "parked", "delayed"};
  history_.trace("node %d    joins %d@%d %s%s", ledger_.node_, place.partition, static_cast<int>(place.offset), names[static_cast<int>(conclusion.kind)],
                 record.alone ? " alone" : "");
  end_scope();
  if (one_by_one_ > 0) --one_by_one_;
  if (gives_up(conclusion.kind, conclusion.reason)) ledger_.on_giving_up();
  const bool alone = record.alone;
  ledger_.join(std::move(joiner));
  if (alone && !ledger_.committing()) ledger_.close();
  return Joined::joined;
} catch (const StoreError&) {
  end_scope();
  throw;
}

Joined SimSession::roll_back() {
  if (interrupted()) return Joined::interrupted;
  end_scope();
  ledger_.check_usable();
  if (loses_group()) return Joined::interrupted;
  return take_back() ? Joined::again : Joined::joined;
}

}  // namespace idem::sim
