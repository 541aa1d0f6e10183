#include "sim/checker.h"

#include <algorithm>

#include "core/siphash.h"
#include "sim/ledger.h"

namespace idem::sim {
namespace {

const HashKey& hash_key() {
  static const HashKey key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  return key;
}

const IdKey& key_of(int id) {
  static const auto keys = [] {
    std::array<IdKey, 32> made;
    for (int i = 0; i < 32; ++i) made[static_cast<std::size_t>(i)] = core::siphash128(hash_key(), id_text(i));
    return made;
  }();
  return keys[static_cast<std::size_t>(id)];
}

std::uint64_t fingerprint_of(int payload) {
  static const auto prints = [] {
    std::array<std::uint64_t, 32> made;
    for (int i = 0; i < 32; ++i)
      made[static_cast<std::size_t>(i)] = core::siphash64(hash_key(), payload_text(i)) | 1;
    return made;
  }();
  return prints[static_cast<std::size_t>(payload)];
}

}  // namespace

bool Checker::is_parked(const Sent& sent) const {
  const auto& parked = store_->durable.parked;
  return std::any_of(parked.begin(), parked.end(), [&](const Durable::Parked& p) {
    return p.partition == sent.partition && p.offset == sent.offset;
  });
}

bool Checker::is_returning(const Sent& sent) const {
  const auto& returning = store_->durable.returning;
  return std::any_of(returning.begin(), returning.end(), [&](const Durable::Returning& r) {
    return r.place == Place{sent.partition, sent.offset};
  });
}

bool Checker::has_effect(const Sent& sent) const {
  if (history_.scenario.external) return outside_->has_effect(sent.partition, sent.offset);
  const auto& effects = store_->durable.effects;
  return std::any_of(effects.begin(), effects.end(), [&](const Effect& e) {
    return e.partition == sent.partition && e.offset == sent.offset;
  });
}

Checker::End Checker::end_of(const Sent& sent) const {
  if (is_parked(sent)) return End::parked;
  if (is_returning(sent)) return End::returning;
  if (!history_.scenario.external && has_effect(sent)) return End::effect;  // it came with its record
  if (history_.scenario.by_position || sent.id == Sent::none) return End::none;
  const Durable::Id* id = store_->durable.find(key_of(sent.id));
  if (!id) return End::none;
  if (id->fingerprint == fingerprint_of(sent.payload) ||
      history_.scenario.on_conflict == OnConflict::duplicate)
    return End::duplicate;
  return End::none;  // remembered for other content: this message is another one
}

void Checker::on_acknowledged(const Sent& sent) {
  if (end_of(sent) == End::none)
    history_.violate("I4", "a message is acknowledged that is not durably done");
}

void Checker::on_offset_commit(int number, std::int64_t next) {
  const Broker::Partition& partition = broker_->partition(number);
  for (const Sent& sent : partition.messages)
    if (sent.offset < next && end_of(sent) == End::none)
      history_.violate("I4", "the committed offset passes a message that is not durably done");
  const Progress& progress = store_->durable.progress[static_cast<std::size_t>(number)];
  if (!progress.started() || progress.watermark() < next)
    history_.violate("I11", "the committed offset is above the store's watermark");
}

void Checker::on_parked(int number, std::int64_t offset, ParkReason reason) {
  const Broker::Partition& partition = broker_->partition(number);
  const Sent& sent = partition.messages[partition.find(offset)];
  if (sent.seen_before_crash) history_.saw(Saw::parked_after_crash);
  if (reason == ParkReason::no_id && sent.id != Sent::none)
    history_.violate("I1", "parked as without id, and has one");
  if (reason == ParkReason::undecidable)
    history_.violate("I1", "parked as undecidable, and nothing was forgotten");
  if (reason == ParkReason::id_conflict && !has_rival(sent))
    history_.violate("I1", "parked as a conflict with nothing");
}

bool Checker::has_rival(const Sent& sent) const {
  for (int number = 0; number < history_.scenario.partitions; ++number)
    for (const Sent& other : broker_->partition(number).messages)
      if (sent.id != Sent::none && other.id == sent.id && other.payload != sent.payload) return true;
  return false;
}

void Checker::on_progress(int number) {
  const Progress& progress = store_->durable.progress[static_cast<std::size_t>(number)];
  if (progress.ranges().size() < 2) return;
  const auto& messages = broker_->partition(number).messages;
  const auto above = std::count_if(messages.begin(), messages.end(), [&](const Sent& sent) {
    return sent.offset > progress.watermark() && progress.contains(sent.offset);
  });
  if (above >= 3) history_.saw(Saw::completion_gap);
}

const Sent& Checker::sent_of(const Effect& effect) const {
  const Broker::Partition& partition = broker_->partition(effect.partition);
  return partition.messages[partition.find(effect.offset)];
}

bool Checker::same_lane(const Sent& a, const Sent& b) const {
  return a.partition == b.partition && history_.scenario.one_lane(a.key, b.key);
}

// X3: a record that a call was made is not there before the call.
void Checker::check_records_of_calls() const {
  for (const Durable::Id& id : store_->durable.ids) {
    bool ended = false;
    for (int number = 0; number < history_.scenario.partitions && !ended; ++number)
      for (const Sent& sent : broker_->partition(number).messages)
        ended |= sent.id != Sent::none && key_of(sent.id) == id.key &&
                 (outside_->executed(id_text(sent.id)) || is_parked(sent) || is_returning(sent));
    if (!ended) history_.violate("X3", "a call is recorded that was never made");
  }
}

void Checker::check_store() {
  const Durable& durable = store_->durable;
  if (history_.scenario.external) check_records_of_calls();
  for (std::size_t i = 0; i < durable.effects.size(); ++i) {
    const Effect& effect = durable.effects[i];
    const Broker::Partition& partition = broker_->partition(effect.partition);
    const std::size_t at = partition.find(effect.offset);
    if (at == partition.messages.size() || partition.messages[at].offset != effect.offset ||
        partition.messages[at].payload != effect.payload) {
      history_.violate("I5", "an effect of a message that was never sent");
      continue;
    }
    const Sent& sent = partition.messages[at];
    if (!history_.scenario.by_position && (sent.id == Sent::none || !durable.find(key_of(sent.id))))
      history_.violate("I3", "an effect without a record");
    if (history_.scenario.by_position &&
        !durable.progress[static_cast<std::size_t>(sent.partition)].contains(sent.offset))
      history_.violate("I3", "an effect without a finished position");
    for (std::size_t j = 0; j < i; ++j) {
      const Sent& earlier = sent_of(durable.effects[j]);
      const Place place{sent.partition, sent.offset}, earlier_place{earlier.partition, earlier.offset};
      const bool asked_for = durable.conflict_was_redriven(place) || durable.conflict_was_redriven(earlier_place);
      const bool one_message = history_.scenario.by_position || asked_for ? &earlier == &sent : earlier.id == sent.id;
      if (one_message)
        history_.violate("I2", "two effects of one id");
      else if (same_lane(earlier, sent) && earlier.offset > sent.offset && !store_->out_of_order(place) &&
               !store_->out_of_order(earlier_place))
        history_.violate("I6", "effects of one lane are out of order");
    }
  }
  for (std::size_t i = 0; i < durable.ids.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (durable.ids[i].key == durable.ids[j].key) history_.violate("I2", "one id is remembered twice");
  for (std::size_t i = 0; i < durable.parked.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (durable.parked[i].partition == durable.parked[j].partition &&
          durable.parked[i].offset == durable.parked[j].offset && !found_by_nothing(durable.parked[i]))
        history_.violate("I1", "a message is parked twice");
}

// Without a position and an id of its own a message cannot be known again: it is parked once more.
bool Checker::found_by_nothing(const Durable::Parked& parked) const {
  return history_.scenario.queue &&
         (parked.reason == ParkReason::no_id || parked.reason == ParkReason::id_conflict);
}

void Checker::check_end() {
  check_store();
  for (int number = 0; number < history_.scenario.partitions; ++number) {
    const Broker::Partition& partition = broker_->partition(number);
    for (const Sent& sent : partition.messages) {
      const End end = end_of(sent);
      if (end == End::none) history_.violate("I1", "a message is lost");
      if (end == End::returning) history_.violate("I1", "a message does not come back");
      if (end == End::parked && has_effect(sent) && !history_.scenario.external)
        history_.violate("I1", "a message has an effect and is parked");
    }
    const auto& all = partition.messages;
    const bool drained = history_.scenario.queue
                             ? std::all_of(all.begin(), all.end(),
                                           [](const Sent& s) { return s.state == Sent::State::acknowledged; })
                             : partition.committed == partition.end;
    if (!drained) history_.violate("I7", "lag remains after healing");
  }
  // A record without an effect is a lost message in disguise: its copies are skipped for ever.
  for (const Durable::Id& id : store_->durable.ids) {
    bool ended = false;
    for (int number = 0; number < history_.scenario.partitions && !ended; ++number)
      for (const Sent& sent : broker_->partition(number).messages)
        ended |= sent.id != Sent::none && key_of(sent.id) == id.key && (has_effect(sent) || is_parked(sent));
    if (!ended) history_.violate("I3", "a record without an effect");
  }
}

}  // namespace idem::sim
