// What a worker does with one batch, in steps that a simulator can stop between.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <idem/handler.h>
#include <idem/runtime.h>

#include "core/delivery.h"
#include "runtime/executor.h"

namespace idem::runtime {

struct WorkerPolicy {
  int attempts = 10;
  OnConflict on_conflict = OnConflict::park;
  OnUndecidable on_undecidable = OnUndecidable::park;
  std::string dead_letter_destination;  ///< of the outbox; empty: none
};

class BatchRun {
 public:
  /// Events go to `out`: one completion for each item that did not join a group (the store settles the others).
  BatchRun(Session& session, Handler& handler, const WorkerPolicy& policy, std::vector<WorkerEvent>& out)
      : session_(session), handler_(handler), policy_(policy), out_(out) {}

  void start(core::Batch& batch);
  /// One step: look all ids up, call a handler, or conclude a message. False: the batch is through.
  /// Throws StoreError when the store is gone; what is unfinished has been handed back then.
  bool step();

 private:
  enum class Phase { look_up, handle, conclude, through };

  void look_up();
  void handle();
  void conclude();

  void advance();
  void joined();
  void run_again();
  void hand_back(core::Completion::Kind kind);
  void hand_back_rest(core::Completion::Kind kind);
  void group_was_lost(std::string why);
  void finish(Conclusion::Kind kind);
  void park(ParkReason reason, std::string why, int attempts);
  void fail(std::string why, std::optional<std::chrono::milliseconds> delay);
  bool lane_failed(const core::Delivery& delivery) const;
  core::Delivery& item() { return *batch_->items[todo_.back()]; }

  Session& session_;
  Handler& handler_;
  const WorkerPolicy& policy_;
  std::vector<WorkerEvent>& out_;

  core::Batch* batch_ = nullptr;
  std::vector<std::size_t> todo_;               ///< items, the next one last
  std::vector<std::size_t> joined_;             ///< items, in the order in which they joined
  Phase phase_ = Phase::through;
  bool cut_ = false;                            ///< a group was lost: nothing more of this batch may run
  std::vector<const core::Lane*> failed_lanes_; ///< an item of it did not finish: the later ones must wait
  std::vector<const Record*> records_;
  std::vector<Seen> seen_;
  std::optional<Outcome> outcome_;
};

}  // namespace idem::runtime
