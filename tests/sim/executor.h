// The workers of one node, stepped by the history instead of running by themselves.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/batch_run.h"
#include "runtime/executor.h"
#include "sim/history.h"
#include "sim/ledger.h"

namespace idem::sim {

/// Runs what may run while the I/O thread of a node waits for its workers.
class Blocked {
 public:
  virtual void wait(std::chrono::milliseconds longest) = 0;

 protected:
  ~Blocked() = default;
};

class SimExecutor final : public runtime::Executor, public SettleListener {
 public:
  /// Makes what a worker runs its batches with.
  using MakeRun = std::function<std::unique_ptr<runtime::BatchRun>(Session&, std::vector<runtime::WorkerEvent>&)>;
  SimExecutor(History& history, SimLedger& ledger, const MakeRun& make_run, Blocked& blocked);

  std::size_t workers() const { return workers_.size(); }
  /// Whether the worker has something to do and is not kept out of the store.
  bool can_step(std::size_t worker) const;
  void step(std::size_t worker);

  bool anything_to_collect() const { return !inbox_.empty(); }
  /// What a crash would interrupt.
  bool anything_looked_up() const;

  // --- Executor
  // ---------------------------------------------------------------------------------------------------
  void submit(core::Batch* batch) override { queue_.push_back(batch); }
  std::size_t collect(std::span<runtime::WorkerEvent> events) override;
  void wait(std::chrono::milliseconds longest) override { blocked_.wait(longest); }
  bool set_waiting(bool) override { return !inbox_.empty(); }
  SettleListener& listener() override { return *this; }
  std::string failure() override { return failed_ ? "store gone" : ""; }

  void on_settled(std::span<const Settlement> settlements) noexcept override;

 private:
  struct Worker {
    std::unique_ptr<Session> session;
    std::vector<runtime::WorkerEvent> out;
    std::unique_ptr<runtime::BatchRun> run;
    core::Batch* batch = nullptr;
  };

  History& history_;
  SimLedger& ledger_;
  Blocked& blocked_;
  std::vector<Worker> workers_;
  std::vector<core::Batch*> queue_;
  std::vector<runtime::WorkerEvent> inbox_;
  bool failed_ = false;
};

}  // namespace idem::sim
