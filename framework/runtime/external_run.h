// A batch for an ExternalHandler: claim, call, complete.
//
// A message comes twice. The first time its claim joins the store's group, and it goes back to the core when that is
// durable: no worker waits for a commit. The second time its handler is called and its end joins a group. A claim that
// is found was made by a process that is gone (or for an assignment that has ended): it is as good as one's own, and
// says that the call may have been made.
#pragma once

#include <vector>

#include <idem/external_handler.h>

#include "runtime/batch_run.h"

namespace idem::runtime {

class ExternalRun final : public BatchRun {
 public:
  ExternalRun(Session& session, ExternalHandler& handler, const WorkerPolicy& policy, std::vector<WorkerEvent>& out)
      : BatchRun(session, policy, out), handler_(handler) {}

 private:
  void attend(core::Delivery& delivery, Seen seen) override;
  void conclude(core::Delivery& delivery, Outcome outcome) override;
  void start_batch(const core::Batch& batch) override;

  void claim(core::Delivery& delivery);
  void call(core::Delivery& delivery);
  /// What `handle` says, called with an attempt that knows when it has to end.
  template <class Handle>
  Outcome watch(core::Delivery& delivery, Attempt& attempt, Handle handle);
  void keep_result(core::Delivery& delivery, const Outcome& outcome);
  void complete(core::Delivery& delivery);
  bool behind_a_claim(const core::Delivery& delivery) const;

  ExternalHandler& handler_;
  std::vector<const core::Lane*> claiming_;  ///< a claim of it joined in this batch: later ones must not be called
};

}  // namespace idem::runtime
