// A model of a transactional store with group commit: what a real one may do to its callers, without a
// database.
//
// SimStore is the durable part and outlives the nodes. A SimLedger is one node's volatile way into it: its
// open group, and the COMMIT in progress, which advances in stages so that a node can die between any two of
// them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <idem/store.h>

#include "sim/broker.h"
#include "sim/history.h"

namespace idem::sim {

/// Bugs of stores, made on purpose: see core/mutant.h.
enum class StoreMutant {
  none,
  record_outside,         ///< the effect commits first, its record after it
  check_then_insert,      ///< no unique rule: whoever looked up in time writes
  error_is_success,       ///< a commit that failed counts as done
  settled_before_synced,  ///< settlements go out while COMMIT is on its way
  conflict_ends_claim,    ///< another message under a claimed id is parked, and the claim goes with it
  claim_not_kept,         ///< a claim settles and is nowhere
  end_of_return_not_kept, ///< what came back and has ended comes back again
  redriven_stays_parked,  ///< a redriven message can be redriven again
};
inline thread_local StoreMutant active_store_mutant = StoreMutant::none;
inline bool mutated(StoreMutant mutant) { return active_store_mutant == mutant; }

/// One row the handler wrote. No unique rule: it would hide what is looked for.
struct Effect {
  int partition = 0;
  std::int64_t offset = 0;
  int payload = 0;
};

/// A record that has joined a group, or a skip.
struct Joiner {
  std::uint64_t token = 0;
  SettleListener* listener = nullptr;
  const void* session = nullptr;
  Conclusion::Kind kind = Conclusion::Kind::done;
  ParkReason reason = ParkReason::dead_letter;
  bool is_skip = false;
  bool remember = false;  ///< its id
  bool is_claim = false;  ///< of its id, and nothing else
  std::int64_t returning = 0;  ///< Record::returning
  ReturningMessage kept;       ///< delayed and parked only
  std::optional<IdKey> id;
  std::uint64_t fingerprint = 0;
  bool positioned = true;  ///< its place is a position that the store keeps
  std::uint32_t partition = 0;
  std::int64_t from = 0, to = 0;  ///< the offsets it closes; its own is to - 1 unless it is a skip
  std::uint64_t print = 0;
  std::vector<Effect> effects;
};

inline bool gives_up(Conclusion::Kind kind, ParkReason reason) {
  return kind == Conclusion::Kind::parked && reason == ParkReason::attempts_exhausted;
}

/// What is on disk.
struct Durable {
  struct Id {
    IdKey key;
    std::uint64_t fingerprint;
  };
  struct Parked {
    int partition;
    std::int64_t offset;
    ParkReason reason;
    std::optional<IdKey> id;
    ReturningMessage message;
  };
  struct Returning {
    ReturningMessage message;
    std::optional<IdKey> id;  ///< that is remembered for it
    Place place;
  };
  struct Redriven {
    Place place;
    ParkReason reason;
  };
  std::vector<Id> ids, claims;
  std::vector<Returning> returning;
  std::vector<Place> delayed;      ///< has been, once
  std::vector<Redriven> redriven;  ///< the same
  std::int64_t last_returning = 0;
  std::vector<Effect> effects;
  std::vector<Parked> parked;
  std::array<Progress, partition_count> progress;
  std::array<std::string, partition_count> origin;
  std::vector<std::uint64_t> groups;  ///< committed ones

  const Id* find(const IdKey& key) const {
    return find_in(ids, key);
  }
  const Returning* find_returning(std::int64_t number) const {
    for (const Returning& r : returning)
      if (r.message.number == number) return &r;
    return nullptr;
  }
  bool was_delayed(Place place) const { return std::find(delayed.begin(), delayed.end(), place) != delayed.end(); }
  bool was_redriven(Place place) const {
    return std::any_of(redriven.begin(), redriven.end(), [&](const Redriven& r) { return r.place == place; });
  }
  bool conflict_was_redriven(Place place) const {
    return std::any_of(redriven.begin(), redriven.end(), [&](const Redriven& r) {
      return r.place == place && r.reason == ParkReason::id_conflict;
    });
  }
  const Id* find_claim(const IdKey& key) const { return find_in(claims, key); }
  void end_claim(const IdKey& key) {
    std::erase_if(claims, [&](const Id& claim) { return claim.key == key; });
  }

 private:
  static const Id* find_in(const std::vector<Id>& ids, const IdKey& key) {
    for (const Id& id : ids)
      if (id.key == key) return &id;
    return nullptr;
  }
};

class SimLedger;

class SimStore {
 public:
  SimStore(History& history, Observer& observer) : history_(history), observer_(observer) {}

  Durable durable;

  void apply(const std::vector<Joiner>& group, std::uint64_t number);
  void apply_effects(const std::vector<Joiner>& group);
  void apply_records(const std::vector<Joiner>& group, std::uint64_t number);

  /// A person takes a message out of the parking lot: a transaction of its own.
  void redrive(std::size_t parked);
  /// Of those parked, some that can be.
  std::vector<std::size_t> redrivable() const;
  std::uint64_t began_to_return = 0;  ///< messages, ever
  /// It has come back, and others of its lane may have passed it meanwhile.
  bool out_of_order(Place place) const {
    return durable.was_redriven(place) ||
           (history_.scenario.on_long_delay == OnLongDelay::pass && durable.was_delayed(place));
  }

  // --- A backup, taken now and then, put back while nothing runs
  // --------------------------------------------------
  void back_up() { backup_ = durable; }
  bool has_backup() const { return backup_.has_value(); }
  void restore() { durable = *std::exchange(backup_, std::nullopt); }

  std::vector<SimLedger*> ledgers;  ///< of the nodes that are up
  std::uint64_t next_group = 1;

 private:
  void apply_return(const Joiner& joiner);
  void park(const Joiner& joiner);

  History& history_;
  Observer& observer_;
  std::optional<Durable> backup_;
};

}  // namespace idem::sim
