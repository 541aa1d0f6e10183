#include "runtime/handler_run.h"

#include "runtime/failpoint.h"
#include "runtime/guarded.h"

namespace idem::runtime {

// An earlier version of the service may have left a claim. What it called is not for this handler to know.
void HandlerRun::attend(core::Delivery& d, Seen) {
  Transaction& tx = session().begin(d.record);
  (void)IDEM_FAILPOINT("worker.handler_enter");
  // A StoreError is the store's own trouble, not the handler's.
  Outcome outcome = guarded<StoreError>([&] {
    const HandlerWatch::Call call(watched(), d);
    return handler_.handle(d.message, tx);
  });
  (void)IDEM_FAILPOINT("worker.handler_return");
  await_conclusion(std::move(outcome));
}

void HandlerRun::conclude(core::Delivery&, Outcome outcome) {
  if (auto why = too_large(outcome)) outcome = dead_letter(std::move(*why));
  if (outcome.kind() == Outcome::Kind::done) return finish(Conclusion::Kind::done, outcome.result());

  const Joined undone = session().roll_back();
  if (undone == Joined::interrupted) return group_was_lost(outcome.why());
  if (undone == Joined::again) return run_again();
  give_up_or_retry(outcome);
}

}  // namespace idem::runtime
