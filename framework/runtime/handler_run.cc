#include "runtime/handler_run.h"

#include <exception>

#include "runtime/failpoint.h"

namespace idem::runtime {
namespace {

Outcome call(Handler& handler, const Message& message, Transaction& tx) {
  try {
    return handler.handle(message, tx);
  } catch (const StoreError&) {
    throw;  // the store's own trouble, not the handler's
  } catch (const std::exception& e) {
    return retry(e.what());
  } catch (...) {
    return retry("the handler threw something that is not a std::exception");
  }
}

}  // namespace

// An earlier version of the service may have left a claim. What it called is not for this handler to know.
void HandlerRun::attend(core::Delivery& d, Seen) {
  Transaction& tx = session().begin(d.record);
  (void)IDEM_FAILPOINT("worker.handler_enter");
  Outcome outcome = call(handler_, d.message, tx);
  (void)IDEM_FAILPOINT("worker.handler_return");
  await_conclusion(std::move(outcome));
}

void HandlerRun::conclude(core::Delivery& d, Outcome outcome) {
  if (outcome.kind() == Outcome::Kind::done) return finish(Conclusion::Kind::done);

  const Joined undone = session().roll_back();
  if (undone == Joined::interrupted) return group_was_lost(outcome.why());
  if (undone == Joined::again) return run_again();
  if (outcome.kind() == Outcome::Kind::dead_letter) return park(ParkReason::dead_letter, outcome.why(), d.attempts + 1);
  if (d.attempts + 1 >= policy().attempts)
    return park(ParkReason::attempts_exhausted, outcome.why(), d.attempts + 1);
  fail(outcome.why(), outcome.delay());
}

}  // namespace idem::runtime
