#include "sim/executor.h"

#include <algorithm>

namespace idem::sim {

using namespace std::chrono_literals;

SimExecutor::SimExecutor(History& history, SimLedger& ledger, const MakeRun& make_run, Blocked& blocked)
    : history_(history),
      ledger_(ledger),
      blocked_(blocked),
      workers_(static_cast<std::size_t>(history.scenario.workers)) {
  for (Worker& worker : workers_) {
    worker.session = ledger.session(*this);
    worker.run = make_run(*worker.session, worker.out);
  }
}

bool SimExecutor::can_step(std::size_t worker) const {
  return !failed_ && !ledger_.committing() && (workers_[worker].batch || !queue_.empty());
}

bool SimExecutor::anything_looked_up() const {
  return std::any_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.batch != nullptr; });
}

void SimExecutor::step(std::size_t number) {
  Worker& worker = workers_[number];
  try {
    if (!worker.batch) {
      worker.batch = queue_.front();
      queue_.erase(queue_.begin());
      worker.run->start(*worker.batch);
    }
    if (worker.run->step()) return;
    runtime::WorkerEvent through;
    through.batch = worker.batch;
    through.took = 1us;
    worker.out.push_back(through);
  } catch (const StoreError&) {
    failed_ = true;
  }
  worker.batch = nullptr;
  inbox_.insert(inbox_.end(), worker.out.begin(), worker.out.end());
  worker.out.clear();
  // Events of different threads have no order.
  if (inbox_.size() > 1 && !history_.healing && history_.choices.detail(4) == 1)
    std::rotate(inbox_.begin(), inbox_.begin() + 1, inbox_.end());
}

std::size_t SimExecutor::collect(std::span<runtime::WorkerEvent> events) {
  const std::size_t count = std::min(events.size(), inbox_.size());
  std::copy_n(inbox_.begin(), count, events.begin());
  inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

void SimExecutor::on_settled(std::span<const Settlement> settlements) noexcept {
  for (const Settlement& settlement : settlements) inbox_.push_back(runtime::to_event(settlement));
}

}  // namespace idem::sim
