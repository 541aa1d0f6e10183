// What a worker does with one batch, in steps that a simulator can stop between. What it does with a message that is to
// be handled depends on the kind of handler: handler_run.h, external_run.h.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <idem/runtime.h>

#include "core/delivery.h"
#include "runtime/executor.h"
#include "runtime/handler_watch.h"
#include "runtime/ids_in_hand.h"
#include "runtime/long_delays.h"

namespace idem::runtime {

struct WorkerPolicy {
  int attempts = 10;
  OnConflict on_conflict = OnConflict::park;
  OnUndecidable on_undecidable = OnUndecidable::park;
  std::string dead_letter_destination;  ///< of the outbox; empty: none
  std::string consumer;
  Claims claims = Claims::durable;
  OnUnresolved on_unresolved = OnUnresolved::call;
  std::shared_ptr<IdsInHand> ids_in_hand;  ///< shared with whoever else uses the ledger; null: nobody calls outside
  std::shared_ptr<HandlerWatch> watch;     ///< is told of every call; null: nobody watches
  LongDelays long_delays;
  std::size_t max_result_bytes = 64 << 10;
};

class BatchRun {
 public:
  /// Events go to `out`: one completion for each item that did not join a group (the store settles the others).
  BatchRun(Session& session, const WorkerPolicy& policy, std::vector<WorkerEvent>& out)
      : session_(session), policy_(policy), out_(out), watched_(policy.watch ? &policy.watch->add_worker() : nullptr) {}
  virtual ~BatchRun() = default;
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  void start(core::Batch& batch);
  /// One step: look all ids up, call a handler, or conclude a message. False: the batch is through.
  /// Throws StoreError when the store is gone; what is unfinished has been handed back then.
  bool step();

 protected:
  /// The item is nobody's copy: handle it, or leave it for later. Ends in await_conclusion() or in one of the ways below.
  virtual void attend(core::Delivery& delivery, Seen seen) = 0;
  /// Before its ids are looked up.
  virtual void start_batch(const core::Batch&) {}
  /// The handler has spoken.
  virtual void conclude(core::Delivery& delivery, Outcome outcome) = 0;

  void await_conclusion(Outcome outcome);
  void joined();
  void run_again();
  void hand_back(core::Completion::Kind kind);
  void group_was_lost(std::string why);
  /// Its group was lost, by no fault of its own: it runs again, in a group of its own. Nothing more of the batch does.
  void cut_off();
  void finish(Conclusion::Kind kind, const std::optional<std::string>& result = std::nullopt);
  void park(ParkReason reason, std::string why, int attempts);
  void keep_until_due(const Outcome& outcome, int attempts);
  /// The outcome is not done, and nothing of the call remains in the store.
  void give_up_or_retry(const Outcome& outcome);
  /// Its attempts are used up. Whether it may be parked for that: not during an outage, and not for nothing.
  bool may_give_up();
  Session& session() { return session_; }
  const WorkerPolicy& policy() const { return policy_; }
  /// What is wrong with a result that is too large to be kept; nullopt: nothing.
  std::optional<std::string> too_large(const Outcome& outcome) const;
  /// Where this worker says which handler it is in; null: nobody asks.
  HandlerWatch::Worker* watched() const { return watched_; }
  /// One of its lane was parked in this batch, which is not durable yet.
  bool parked_before(const core::Delivery& delivery) const;

 private:
  enum class Phase { look_up, handle, conclude, through };

  void look_up();
  void handle();
  void advance();
  void fail(std::string why, std::optional<std::chrono::milliseconds> delay);
  void hand_back_rest(core::Completion::Kind kind);
  bool lane_failed(const core::Delivery& delivery) const;
  core::Delivery& item() { return *batch_->items[todo_.back()]; }

  Session& session_;
  const WorkerPolicy& policy_;
  std::vector<WorkerEvent>& out_;
  HandlerWatch::Worker* const watched_;

  core::Batch* batch_ = nullptr;
  std::vector<std::size_t> todo_;               ///< items, the next one last
  std::vector<std::size_t> joined_;             ///< items, in the order in which they joined
  Phase phase_ = Phase::through;
  bool cut_ = false;                            ///< a group was lost: nothing more of this batch may run
  std::vector<const core::Lane*> failed_lanes_; ///< an item of it did not finish: the later ones must wait
  std::vector<const core::Lane*> parked_lanes_; ///< an item of it was parked
  std::vector<const Record*> records_;
  std::vector<Seen> seen_;
  std::optional<Outcome> outcome_;
};

}  // namespace idem::runtime
