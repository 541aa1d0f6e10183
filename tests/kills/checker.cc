#include "kills/checker.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace idem::kills {
namespace {

constexpr std::size_t details_per_flaw = 5;

using Place = std::pair<std::int32_t, std::int64_t>;

std::string name_of(const std::string& id, std::int32_t partition, std::int64_t offset) {
  return (id.empty() ? std::string("message without id") : id) + " at " + std::to_string(partition) + "/" +
         std::to_string(offset);
}

// What the evidence says about one id.
struct Traces {
  const Sent* sent = nullptr;
  std::int64_t first_time = INT64_MAX;  // of its copies; the record is at least as old as that
  std::size_t effects = 0;
  std::size_t parked = 0;
};

class Check {
 public:
  Check(const std::vector<Sent>& sent, const Evidence& evidence) : sent_(sent), evidence_(evidence) {
    by_id_.reserve(sent.size());
    for (const Sent& message : sent) {
      places_.emplace(Place{message.partition, message.offset}, &message);
      if (message.id.empty()) continue;
      Traces& traces = by_id_[message.id];
      traces.sent = &message;
      traces.first_time = std::min(traces.first_time, message.time);
    }
  }

  Verdict run(Moment moment, bool ordered) {
    count_effects();
    count_parked();
    check_ids();
    check_records();
    check_positions(moment);
    if (ordered) check_order();
    if (moment == Moment::at_end) check_end();
    return std::move(verdict_);
  }

 private:
  void found(Flaw flaw, const std::string& what) { verdict_.found(flaw, what); }

  void count_effects() {
    for (const Effect& effect : evidence_.effects) {
      const std::string name = name_of(effect.id, effect.partition, effect.offset);
      const auto place = places_.find({effect.partition, effect.offset});
      const auto traces = by_id_.find(effect.id);
      if (traces == by_id_.end() || place == places_.end() || place->second->id != effect.id) {
        found(Flaw::phantom, "effect of " + name);
        continue;
      }
      ++traces->second.effects;
      sum_ += effect.amount;
      applied_at_.insert({effect.partition, effect.offset});
      if (effect.amount != place->second->amount)
        found(Flaw::wrong_amount,
              name + " has " + std::to_string(effect.amount) + " and not " + std::to_string(place->second->amount));
    }
  }

  void count_parked() {
    for (const ParkedAt& parked : evidence_.parked) {
      const std::string name = name_of(parked.id, parked.partition, parked.offset);
      const auto place = places_.find({parked.partition, parked.offset});
      if (place == places_.end() || place->second->id != parked.id) {
        found(Flaw::phantom, "parked " + name);
        continue;
      }
      if (cannot_be_known_again(*place->second)) {
        parked_at_.insert({parked.partition, parked.offset});
        continue;
      }
      if (!parked_at_.insert({parked.partition, parked.offset}).second) found(Flaw::parked_twice, name);
      if (!parked.id.empty() && ++by_id_.at(parked.id).parked == 2) found(Flaw::parked_twice, name);
    }
  }

  // In a queue nothing has a position: what has no id of its own either is parked again when it comes again.
  bool cannot_be_known_again(const Sent& message) const {
    return evidence_.left && (message.id.empty() || message.fate == Fate::conflict);
  }

  void check_ids() {
    for (const auto& [id, traces] : by_id_) {
      if (traces.effects > 1)
        found(Flaw::doubled, std::string(id) + " has " + std::to_string(traces.effects) + " effects");
      if (traces.sent->fate == Fate::effect && traces.parked > 0)
        found(Flaw::wrong_end, std::string(id) + " was parked");
      if (traces.sent->fate == Fate::parked && traces.effects > 0)
        found(Flaw::wrong_end, std::string(id) + " had an effect and was to be parked");
    }
  }

  void check_records() {
    if (!evidence_.remembered) return;
    for (const auto& [id, traces] : by_id_) {
      const bool remembered = evidence_.remembered->contains(std::string(id));
      const bool there = traces.effects + traces.parked > 0;
      if (remembered && !there) found(Flaw::record_without_effect, std::string(id));
      const bool forgotten = traces.first_time < evidence_.remembers_from;
      const bool claimed = evidence_.claimed.contains(std::string(id));
      if (!remembered && there && !forgotten && !claimed) found(Flaw::effect_without_record, std::string(id));
    }
  }

  bool is_terminal(const Sent& message) const {
    const Place place{message.partition, message.offset};
    // Of two messages in conflict one's end says nothing about the other.
    if (message.id.empty() || message.fate == Fate::conflict)
      return parked_at_.contains(place) || applied_at_.contains(place);
    const Traces& traces = by_id_.at(message.id);
    return traces.effects + traces.parked > 0;
  }

  void check_positions(Moment moment) {
    for (const Sent& message : sent_) {
      if (is_terminal(message)) continue;
      ++verdict_.unfinished;
      const std::string name = name_of(message.id, message.partition, message.offset);
      if (moment == Moment::at_end) found(Flaw::lost, name);
      const auto committed = evidence_.committed.find(message.partition);
      if (committed != evidence_.committed.end() && message.offset < committed->second)
        found(Flaw::committed_too_far, name + ", committed " + std::to_string(committed->second));
      const auto progress = evidence_.progress.find(message.partition);
      if (progress != evidence_.progress.end() && progress->second.contains(message.offset))
        found(Flaw::progress_too_far, name + ", watermark " + std::to_string(progress->second.watermark()));
    }
    if (evidence_.left && *evidence_.left < verdict_.unfinished)
      found(Flaw::committed_too_far, "the queue has " + std::to_string(*evidence_.left) + " messages left, and " +
                                         std::to_string(verdict_.unfinished) + " are not done");
    for (const auto& [partition, next] : evidence_.committed) {
      const auto progress = evidence_.progress.find(partition);
      if (progress != evidence_.progress.end() && progress->second.started() && progress->second.watermark() < next)
        found(Flaw::committed_past_store, "partition " + std::to_string(partition) + ": committed " +
                                              std::to_string(next) + ", watermark " +
                                              std::to_string(progress->second.watermark()));
    }
  }

  void check_order() {
    std::map<std::pair<std::int32_t, std::string_view>, std::int64_t> last;
    for (const Effect& effect : evidence_.effects) {
      const auto [lane, first] = last.try_emplace({effect.partition, effect.key}, effect.offset);
      if (!first && effect.offset < lane->second)
        found(Flaw::out_of_order, name_of(effect.id, effect.partition, effect.offset) + " after offset " +
                                      std::to_string(lane->second) + " of its key");
      lane->second = effect.offset;
    }
  }

  void check_end() {
    for (const std::string& id : evidence_.claimed) found(Flaw::claim_left, id);
    std::int64_t expected = 0;
    std::map<std::int32_t, std::int64_t> ends;
    for (const auto& [id, traces] : by_id_)
      if (traces.sent->fate != Fate::parked) expected += traces.sent->amount;
    for (const Sent& message : sent_) {
      std::int64_t& end = ends[message.partition];
      end = std::max(end, message.offset + 1);
    }
    if (sum_ != expected)
      found(Flaw::wrong_amount, "the effects sum to " + std::to_string(sum_) + " and not " + std::to_string(expected));
    if (evidence_.left) {
      if (*evidence_.left > 0)
        found(Flaw::not_caught_up, std::to_string(*evidence_.left) + " messages are left in the queue");
      return;
    }
    for (const auto& [partition, end] : ends) {
      const auto committed = evidence_.committed.find(partition);
      const std::int64_t next = committed == evidence_.committed.end() ? 0 : committed->second;
      if (next < end)
        found(Flaw::not_caught_up, "partition " + std::to_string(partition) + ": committed " + std::to_string(next) +
                                       " of " + std::to_string(end));
    }
  }

  const std::vector<Sent>& sent_;
  const Evidence& evidence_;
  Verdict verdict_;
  std::unordered_map<std::string_view, Traces> by_id_;
  std::map<Place, const Sent*> places_;
  std::set<Place> applied_at_, parked_at_;
  std::int64_t sum_ = 0;
};

}  // namespace

std::string_view to_string(Flaw flaw) {
  switch (flaw) {
    case Flaw::lost:
      return "lost";
    case Flaw::doubled:
      return "doubled";
    case Flaw::phantom:
      return "phantom";
    case Flaw::wrong_amount:
      return "wrong amount";
    case Flaw::record_without_effect:
      return "record without effect";
    case Flaw::effect_without_record:
      return "effect without record";
    case Flaw::parked_twice:
      return "parked twice";
    case Flaw::wrong_end:
      return "wrong end";
    case Flaw::committed_too_far:
      return "committed too far";
    case Flaw::progress_too_far:
      return "progress too far";
    case Flaw::committed_past_store:
      return "committed past the store";
    case Flaw::not_caught_up:
      return "not caught up";
    case Flaw::out_of_order:
      return "out of order";
    case Flaw::not_relayed:
      return "not relayed";
    case Flaw::relayed_twice:
      return "relayed twice";
    case Flaw::relayed_without_effect:
      return "relayed without effect";
    case Flaw::relayed_out_of_order:
      return "relayed out of order";
    case Flaw::unflagged:
      return "unflagged";
    case Flaw::key_changed:
      return "key changed";
    case Flaw::claim_left:
      return "claim left";
  }
  return "unknown";
}

std::string name_of(const Effect& effect) { return name_of(effect.id, effect.partition, effect.offset); }

std::size_t Verdict::of(Flaw flaw) const {
  const auto it = count.find(flaw);
  return it == count.end() ? 0 : it->second;
}

void Verdict::found(Flaw flaw, const std::string& what) {
  if (++count[flaw] <= details_per_flaw) details.push_back(std::string(to_string(flaw)) + ": " + what);
}

void Verdict::add(const Verdict& other) {
  for (const auto& [flaw, times] : other.count) count[flaw] += times;
  details.insert(details.end(), other.details.begin(), other.details.end());
}

Verdict check(const std::vector<Sent>& sent, const Evidence& evidence, Moment moment, bool ordered) {
  return Check(sent, evidence).run(moment, ordered);
}

}  // namespace idem::kills
