// What one consumer remembers in a MemoryStore: positions, ids, how long, and what is parked.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <idem/store.h>

#include "core/id_map.h"
#include "runtime/kept_message.h"

namespace idem::memory {

/// Ids are forgotten a generation at a time: an eighth of the retention of stream time, dropped as a whole.
struct Generation {
  Timestamp start{}, newest{};
  core::IdMap<std::uint64_t> fingerprints;
  std::map<IdKey, Ledger::Ending> endings;  ///< of those that were parked or have a result
  std::set<std::string, std::less<>> topics;
};

/// With the id that is remembered for it; nullopt: it came without one.
struct Returning {
  ReturningMessage message;
  std::optional<IdKey> id;
};

struct Consumer {
  explicit Consumer(std::chrono::milliseconds r) : retention(r), generations(1) {}

  std::chrono::milliseconds retention;
  std::map<PartitionRef, std::uint32_t> slots;
  std::deque<Ledger::Opened> partitions;
  std::deque<Generation> generations;
  std::map<std::string, Timestamp, std::less<>> horizon;
  std::set<std::pair<IdKey, std::uint64_t>> parked_conflicts;
  core::IdMap<std::uint64_t> claims;  ///< with their fingerprints
  std::vector<ParkedMessage> parked;
  std::map<std::int64_t, Returning> returning;  ///< by number
  std::int64_t last_returning = 0;
  Timestamp stream_time{};

  bool position_done(const Record& r) const {
    return r.partition != Record::no_partition && partitions[r.partition].progress.contains(r.message->offset);
  }

  const std::uint64_t* find(const IdKey& id) const {
    for (const Generation& g : generations)
      if (const std::uint64_t* known = g.fingerprints.find(id)) return known;
    return nullptr;
  }

  /// The id is about to be looked for.
  void prefetch(const IdKey& id) const {
    for (const Generation& g : generations) g.fingerprints.prefetch(id);
  }

  /// That its id is remembered says nothing then.
  bool remembered_for_itself(const Record& r) const {
    if (r.returning == 0) return false;
    const auto row = returning.find(r.returning);
    return row != returning.end() && row->second.id == r.id;
  }

  Seen judge(const Record& r) const {
    if (position_done(r) || (r.returning != 0 && !returning.contains(r.returning))) return Seen::duplicate;
    if (!r.id) return Seen::fresh;
    const auto other = [&r](std::uint64_t known) { return known != 0 && r.fingerprint != 0 && known != r.fingerprint; };
    const std::uint64_t* known = remembered_for_itself(r) ? nullptr : find(*r.id);
    if (known) return other(*known) ? Seen::conflict : Seen::duplicate;
    if (const std::uint64_t* claim = claims.find(*r.id)) return other(*claim) ? Seen::claim_conflict : Seen::claimed;
    if (remembered_for_itself(r)) return Seen::fresh;
    const auto bound = horizon.find(r.message->topic);
    return bound != horizon.end() && r.time <= bound->second ? Seen::undecidable : Seen::fresh;
  }

  void remember(const Record& r) {
    Generation& g = generations.back();
    g.newest = std::max(g.newest, r.time);
    if (!g.topics.contains(r.message->topic)) g.topics.emplace(r.message->topic);
    g.fingerprints.insert(*r.id, r.fingerprint);
    claims.erase(*r.id);
  }

  void keep_ending(const IdKey& id, const Conclusion& c) {
    const bool is_parked = c.kind == Conclusion::Kind::parked;
    if (is_parked || c.result)
      generations.back().endings[id] = {is_parked, is_parked ? std::nullopt : std::optional<std::string>(c.result)};
  }
  Ledger::Ending ending(const IdKey& id) const {
    for (const Generation& g : generations)
      if (const auto known = g.endings.find(id); known != g.endings.end()) return known->second;
    return {};
  }

  void advance(Timestamp time) {
    stream_time = std::max(stream_time, time);
    Generation& last = generations.back();
    if (last.start == Timestamp{}) last.start = last.fingerprints.size() == 0 ? stream_time : last.newest;
    if (last.fingerprints.size() > 0 && stream_time - last.start >= retention / 8)
      generations.push_back({.start = stream_time});
    std::erase_if(generations, [&](const Generation& g) {
      if (&g == &generations.back() || stream_time - g.newest < retention) return false;
      for (const std::string& topic : g.topics) horizon[topic] = std::max(horizon[topic], g.newest);
      return true;
    });
  }

  void park(const Record& r, const Conclusion& c) {
    const bool conflict = c.reason == ParkReason::id_conflict && r.id;
    if (conflict && !parked_conflicts.emplace(*r.id, r.fingerprint).second) return;
    ParkedMessage p;
    runtime::keep(p, r, c);
    p.number = static_cast<std::int64_t>(parked.size()) + 1;
    p.reason = c.reason;
    p.parked_at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    parked.push_back(std::move(p));
  }

  void delay(const Record& r, const Conclusion& c) {
    ReturningMessage m;
    runtime::keep(m, r, c);
    m.number = r.returning != 0 ? r.returning : ++last_returning;
    m.due = c.due;
    m.maybe_called = c.maybe_called;
    returning.insert_or_assign(m.number, Returning{std::move(m), r.id});
  }

  Ledger::Returning due(const PartitionRef& partition, Timestamp now, std::size_t limit,
                        const std::function<bool(std::int64_t)>& in_hand) const {
    std::multimap<Timestamp, const ReturningMessage*> in_order;
    for (const auto& [number, r] : returning)
      if (r.message.partition == partition && !in_hand(number)) in_order.emplace(r.message.due, &r.message);
    Ledger::Returning answer;
    for (const auto& [due, message] : in_order) {
      if (due > now || answer.messages.size() == limit) {
        answer.next_due = due;
        break;
      }
      answer.messages.push_back(*message);
    }
    return answer;
  }
};

}  // namespace idem::memory
