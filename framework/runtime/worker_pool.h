// The threads that run handlers, and the two queues between them and the I/O thread.
//
// The work queue is bounded by the core, which never has more batches out than two per worker; the completions are
// bounded by what is in flight.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <idem/external_handler.h>
#include <idem/handler.h>
#include <idem/source.h>
#include <idem/store.h>

#include "runtime/batch_run.h"
#include "runtime/executor.h"

namespace idem::runtime {

/// Who a worker calls: one of the two.
struct Callee {
  explicit Callee(Handler& h) : handler(&h) {}
  explicit Callee(ExternalHandler& h) : external(&h) {}
  Handler* handler = nullptr;
  ExternalHandler* external = nullptr;
};

class WorkerPool final : public Executor {
 public:
  /// One callee per worker (the same one several times if it is shared). All borrowed. Every worker holds
  /// `keep_alive` as long as it runs: whatever owns the deliveries it may still have in its hands.
  WorkerPool(Source& source, Ledger& ledger, std::vector<Callee> callees, WorkerPolicy policy,
             std::shared_ptr<void> keep_alive);
  ~WorkerPool();

  /// False: at least one worker is still in its handler. It is abandoned: it can no longer reach the source or the
  /// runtime, only its handler and the store.
  bool stop(std::chrono::milliseconds patience);

  void submit(core::Batch* batch) override;
  std::size_t collect(std::span<WorkerEvent> events) override;
  void wait(std::chrono::milliseconds longest) override;
  bool set_waiting(bool waiting) override;
  SettleListener& listener() override;
  std::string failure() override;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace idem::runtime
