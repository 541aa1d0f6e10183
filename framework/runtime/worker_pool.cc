#include "runtime/worker_pool.h"

#include <blockingconcurrentqueue.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/external_run.h"
#include "runtime/failpoint.h"
#include "runtime/handler_run.h"
#include "runtime/log.h"

namespace idem::runtime {
namespace {

std::unique_ptr<BatchRun> run_for(const Callee& callee, Session& session, const WorkerPolicy& policy,
                                  std::vector<WorkerEvent>& out) {
  if (callee.external) return std::make_unique<ExternalRun>(session, *callee.external, policy, out);
  return std::make_unique<HandlerRun>(session, *callee.handler, policy, out);
}

}  // namespace

// What the threads share; they keep it alive, so a worker that is left behind in its handler does no harm.
struct WorkerPool::Shared final : SettleListener {
  moodycamel::BlockingConcurrentQueue<core::Batch*> work;
  moodycamel::BlockingConcurrentQueue<WorkerEvent> events;
  std::atomic<bool> io_waits{false};

  std::mutex mutex;
  std::condition_variable changed;
  Source* source = nullptr;    // null once the runtime has left
  std::string failure;
  std::atomic<bool> failed{false};
  std::size_t running = 0;     // threads that have not ended

  // Dekker's pattern with set_waiting(): either the I/O thread sees the event before it waits, or we see that it
  // waits and wake it.
  void wake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!io_waits.load(std::memory_order_relaxed) || !io_waits.exchange(false)) return;
    std::lock_guard lock(mutex);
    if (source) source->wake();
  }

  void on_settled(std::span<const Settlement> settlements) noexcept override {
    std::array<WorkerEvent, 128> chunk;
    while (!settlements.empty()) {
      const std::size_t count = std::min(settlements.size(), chunk.size());
      for (std::size_t i = 0; i < count; ++i) chunk[i] = to_event(settlements[i]);
      events.enqueue_bulk(chunk.data(), count);
      settlements = settlements.subspan(count);
    }
    wake();
  }

  void fail(std::string why) {
    {
      std::lock_guard lock(mutex);
      if (failure.empty()) failure = std::move(why);
      failed.store(true, std::memory_order_release);
    }
    events.enqueue(WorkerEvent{});  // something to wake up for
    wake();
  }

  void work_until_stopped(Session& session, const Callee& callee, const WorkerPolicy& policy) {
    std::vector<WorkerEvent> out;
    const auto run = run_for(callee, session, policy, out);
    core::Batch* batch = nullptr;
    for (;;) {
      try {
        if (!work.try_dequeue(batch)) {
          session.yield();
          work.wait_dequeue(batch);
        }
        if (!batch) return;
        (void)IDEM_FAILPOINT("worker.dequeued");
        const auto started = std::chrono::steady_clock::now();
        run->start(*batch);
        while (run->step()) {
        }
        WorkerEvent through;
        through.batch = batch;
        through.took = std::chrono::steady_clock::now() - started;
        out.push_back(through);
      } catch (const StoreError& e) {
        if (e.transient()) continue;  // a commit that could not be done now: its records settle as not applied
        fail(e.what());
      }
      events.enqueue_bulk(out.data(), out.size());
      out.clear();
      wake();
    }
  }
};

WorkerPool::WorkerPool(Source& source, Ledger& ledger, std::vector<Callee> callees, WorkerPolicy policy,
                       std::shared_ptr<void> keep_alive)
    : shared_(std::make_shared<Shared>()) {
  shared_->source = &source;
  shared_->running = callees.size();
  std::vector<std::unique_ptr<Session>> sessions;
  for (std::size_t i = 0; i < callees.size(); ++i) sessions.push_back(ledger.session(*shared_));
  for (std::size_t i = 0; i < callees.size(); ++i) {
    std::thread([shared = shared_, session = std::move(sessions[i]), callee = callees[i], policy,
                 keep_alive]() mutable {
      shared->work_until_stopped(*session, callee, policy);
      session.reset();
      keep_alive.reset();
      std::lock_guard lock(shared->mutex);
      --shared->running;
      shared->changed.notify_all();
    }).detach();  // stop() waits for `running` instead: a thread stuck in a handler cannot be joined
  }
}

WorkerPool::~WorkerPool() { stop(std::chrono::milliseconds(0)); }

bool WorkerPool::stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(shared_->mutex);
  shared_->source = nullptr;
  const std::size_t threads = shared_->running;
  lock.unlock();
  for (std::size_t i = 0; i < threads; ++i) shared_->work.enqueue(nullptr);
  lock.lock();
  return shared_->changed.wait_for(lock, patience, [&] { return shared_->running == 0; });
}

void WorkerPool::submit(core::Batch* batch) { shared_->work.enqueue(batch); }

std::size_t WorkerPool::collect(std::span<WorkerEvent> events) {
  return shared_->events.try_dequeue_bulk(events.data(), events.size());
}

void WorkerPool::wait(std::chrono::milliseconds longest) {
  // Polling in small steps would delay a revoke; waiting on the source would run its callbacks. So wait for the next
  // event by taking it and putting it back.
  WorkerEvent event;
  if (shared_->events.wait_dequeue_timed(event, longest)) shared_->events.enqueue(event);
}

bool WorkerPool::set_waiting(bool waiting) {
  shared_->io_waits.store(waiting, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return waiting && shared_->events.size_approx() > 0;
}

SettleListener& WorkerPool::listener() { return *shared_; }

std::string WorkerPool::failure() {
  if (!shared_->failed.load(std::memory_order_acquire)) return {};
  std::lock_guard lock(shared_->mutex);
  return shared_->failure;
}

}  // namespace idem::runtime
