// A model of a transactional store with group commit: what a real one may do to its callers, without a
// database.
//
// SimStore is the durable part and outlives the nodes. A SimLedger is one node's volatile way into it: its
// open group, and the COMMIT in progress, which advances in stages so that a node can die between any two of
// them.
#pragma once

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
  };
  std::vector<Id> ids, claims;
  std::vector<Effect> effects;
  std::vector<Parked> parked;
  std::array<Progress, partition_count> progress;
  std::array<std::string, partition_count> origin;
  std::vector<std::uint64_t> groups;  ///< committed ones

  const Id* find(const IdKey& key) const {
    return find_in(ids, key);
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

  // --- A backup, taken now and then, put back while nothing runs
  // --------------------------------------------------
  void back_up() { backup_ = durable; }
  bool has_backup() const { return backup_.has_value(); }
  void restore() { durable = *std::exchange(backup_, std::nullopt); }

  std::vector<SimLedger*> ledgers;  ///< of the nodes that are up
  std::uint64_t next_group = 1;

 private:
  History& history_;
  Observer& observer_;
  std::optional<Durable> backup_;
};

}  // namespace idem::sim
