// A batch for a Handler: its effect and the record that it is done commit together.
#pragma once

#include <idem/handler.h>

#include "runtime/batch_run.h"

namespace idem::runtime {

class HandlerRun final : public BatchRun {
 public:
  HandlerRun(Session& session, Handler& handler, const WorkerPolicy& policy, std::vector<WorkerEvent>& out)
      : BatchRun(session, policy, out), handler_(handler) {}

 private:
  void attend(core::Delivery& delivery, Seen seen) override;
  void conclude(core::Delivery& delivery, Outcome outcome) override;

  Handler& handler_;
};

}  // namespace idem::runtime
