// One node's way into the simulated store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <idem/store.h>

#include "sim/store.h"

namespace idem::sim {

class SimSession;

class SimLedger final : public Ledger {
 public:
  SimLedger(History& history, SimStore& store, int node);
  ~SimLedger() override;

  /// There is a group to commit, or one is being committed.
  bool has_work() const { return !group_.empty() || stage_ != Stage::open; }
  /// COMMIT holds the write turn: nobody else gets into the store.
  bool committing() const { return stage_ != Stage::open; }
  /// The next stage of the commit.
  void step();
  /// All of them. False: the group was lost.
  bool commit_now();

  bool group_has(const IdKey& id) const;
  bool group_claims(const IdKey& id) const;
  bool group_finishes(std::uint32_t partition, std::int64_t offset) const;
  /// What has come back under that number ends in the open group.
  bool group_ends(std::int64_t returning) const;
  bool scope_has(const IdKey& id, const SimSession* except) const;
  bool any_scope() const;
  bool applied() const { return stage_ == Stage::applied || stage_ == Stage::unknown_applied; }
  bool group_empty() const { return group_.empty(); }

  /// Told when a message joins as parked for attempts used up.
  std::function<void()> on_giving_up = [] {};
  /// How many of those have become durable, and how many messages that were done.
  std::uint64_t given_up() const { return given_up_; }
  std::uint64_t successes() const { return successes_; }

  // --- Ledger
  // -----------------------------------------------------------------------------------------------------
  const HashKey& hash_key() const override;
  Opened open(const PartitionRef& partition) override;
  void reset(std::uint32_t slot, const Progress& progress, std::string_view origin) override;
  void skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
            SettleListener& listener) override;
  std::unique_ptr<Session> session(SettleListener& listener) override;
  void advance(Timestamp) override {}
  Timestamp stream_time() const override { return {}; }
  std::vector<ParkedMessage> parked(std::int64_t, std::size_t) override { return {}; }
  Returning returning(const PartitionRef& partition, Timestamp now, std::size_t limit,
                      const std::function<bool(std::int64_t)>& in_hand) override;
  std::uint64_t returning_changes() const override { return store_.began_to_return - own_delays_; }

 private:
  friend class SimSession;
  enum class Stage { open, closed, half_applied, applied, not_applied, unknown_applied, unknown_not_applied };

  void check_usable();
  void join(Joiner joiner);
  void close();
  void apply();
  void settle(bool durable);
  void report(const std::vector<Joiner>& group, bool durable);
  void count(const std::vector<Joiner>& group);
  void lose_group();
  bool breaks_unique_rule() const;
  void decide();

  History& history_;
  SimStore& store_;
  int node_;
  bool gone_ = false;
  Stage stage_ = Stage::open;
  std::vector<Joiner> group_;
  std::size_t kept_ = 0;      ///< of the group; somebody has seen them, so they are not taken back
  std::uint64_t number_ = 0;  ///< of the group being committed
  std::uint64_t lost_groups_ = 0;
  std::uint64_t given_up_ = 0, successes_ = 0;
  std::uint64_t own_delays_ = 0;
  bool settled_early_ = false;  ///< by a mutant
  std::vector<SimSession*> sessions_;
};

class SimSession final : public Session, public Transaction {
 public:
  SimSession(History& history, SimLedger& ledger, SettleListener& listener)
      : history_(history), ledger_(ledger), listener_(listener) {}

  void look_up(std::span<const Record* const> records, std::span<Seen> seen) override;
  Transaction& begin(const Record& record) override;
  Joined finish(const Record& record, const Conclusion& conclusion) override;
  Joined claim(const Record& record) override;
  Joined roll_back() override;
  std::size_t taken_back() const override { return taken_back_; }
  void yield() override {}

  const Record* scope() const { return scope_; }

  void* native_handle() override { return nullptr; }

 private:
  std::int64_t execute(std::string_view sql, std::span<const Value> values) override;
  void select(std::string_view, std::span<const Value>, const std::function<void(const Row&)>&) override {}

  bool interrupted();
  void end_scope();
  Seen seen(const Record& record) const;
  bool position_done(const Record& record) const;
  /// What has come back and has not ended; nullptr: it has.
  const Durable::Returning* returning(const Record& record) const;
  bool remembered_for_itself(const Record& record) const;
  bool taken(const Record& record, const Conclusion& conclusion);
  Seen claim_seen(const Record& record) const;
  bool locked_elsewhere(const Record& record) const;
  bool loses_group();
  bool take_back();

  History& history_;
  SimLedger& ledger_;
  SettleListener& listener_;
  const Record* scope_ = nullptr;
  std::vector<Effect> writes_;
  std::uint64_t lost_groups_seen_ = 0;
  std::size_t one_by_one_ = 0;  ///< so many records can be undone without others
  std::size_t taken_back_ = 0;
};

}  // namespace idem::sim
