#include <idem/runtime.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

#include "runtime/log.h"
#include "runtime/pipeline.h"
#include "runtime/signals.h"
#include "runtime/store_retry.h"
#include "runtime/worker_pool.h"

namespace idem {

using namespace std::chrono_literals;
using runtime::log;

std::string_view to_string(ExitReason reason) {
  switch (reason) {
    case ExitReason::stopped: return "stopped";
    case ExitReason::caught_up: return "caught up";
    case ExitReason::drain_timeout: return "drain timeout";
    case ExitReason::refused: return "refused";
    case ExitReason::source_failed: return "source failed";
    case ExitReason::store_failed: return "store failed";
  }
  return "unknown";
}

std::string_view to_string(ParkReason reason) {
  switch (reason) {
    case ParkReason::dead_letter: return "dead_letter";
    case ParkReason::attempts_exhausted: return "attempts_exhausted";
    case ParkReason::no_id: return "no_id";
    case ParkReason::id_conflict: return "id_conflict";
    case ParkReason::undecidable: return "undecidable";
    case ParkReason::unresolved: return "unresolved";
  }
  return "unknown";
}

std::string_view to_string(Health::Level level) {
  switch (level) {
    case Health::Level::green: return "green";
    case Health::Level::yellow: return "yellow";
    case Health::Level::red: return "red";
  }
  return "unknown";
}

std::optional<ParkReason> park_reason(std::string_view name) {
  for (const ParkReason reason :
       {ParkReason::dead_letter, ParkReason::attempts_exhausted, ParkReason::no_id, ParkReason::id_conflict,
        ParkReason::undecidable, ParkReason::unresolved})
    if (to_string(reason) == name) return reason;
  return std::nullopt;
}

Counters& Counters::operator+=(const Counters& other) {
  received += other.received;
  done += other.done;
  duplicates += other.duplicates;
  parked += other.parked;
  delayed += other.delayed;
  returned += other.returned;
  in_flight += other.in_flight;
  abandoned += other.abandoned;
  retries += other.retries;
  not_applied += other.not_applied;
  stale_completions += other.stale_completions;
  lag += other.lag;
  undecidable += other.undecidable;
  conflicts += other.conflicts;
  bytes_in_flight += other.bytes_in_flight;
  overdue += other.overdue;
  breaker_opened += other.breaker_opened;
  breaker_closed += other.breaker_closed;
  probes += other.probes;
  parkings_withheld += other.parkings_withheld;
  return *this;
}

namespace {

void check(bool good, const char* field, const std::string& what) {
  if (!good) throw std::invalid_argument(std::string("idem: RuntimeOptions::") + field + " " + what);
}

void validate(const CircuitBreaker& b) {
  check(b.failure_share > 0 && b.failure_share <= 1, "circuit_breaker.failure_share", "must be above 0 and at most 1");
  check(b.minimum_failures >= 1, "circuit_breaker.minimum_failures", "must be at least 1");
  check(b.window > 0ms, "circuit_breaker.window", "must be positive");
  check(b.first_pause > 0ms, "circuit_breaker.first_pause", "must be positive");
  check(b.max_pause >= b.first_pause, "circuit_breaker.max_pause", "must not be below circuit_breaker.first_pause");
  check(b.probes >= 1, "circuit_breaker.probes", "must be at least 1");
  check(b.parking_allowance >= 1, "circuit_breaker.parking_allowance", "must be at least 1");
  check(b.successes_per_parking >= 1, "circuit_breaker.successes_per_parking", "must be at least 1");
  check(b.parking_interval > 0ms, "circuit_breaker.parking_interval", "must be positive");
}

void validate(const RateLimit& r) {
  check(r.messages_per_second == 0 || (r.messages_per_second >= 0.001 && r.messages_per_second <= 1e6),
        "rate_limit.messages_per_second", "must be 0 (no limit) or between 0.001 and 1,000,000");
  check(r.burst >= 1 && r.burst <= 1'000'000, "rate_limit.burst", "must be between 1 and 1,000,000");
}

void validate(const RuntimeOptions& o) {
  check(!o.consumer.empty(), "consumer", "is empty: give the consumer the name its history is kept under");
  check(o.identity.kind() != Identity::Kind::unset, "identity",
        "is not set: say how a message is known, e.g. id_from_header(\"message-id\") or id_from_position()");
  check(o.retention > 0ms, "retention", "must be positive");
  check(o.retry.attempts >= 1, "retry.attempts", "must be at least 1");
  check(o.retry.first_backoff >= 0ms, "retry.first_backoff", "must not be negative");
  check(o.retry.max_backoff >= o.retry.first_backoff, "retry.max_backoff", "must not be below retry.first_backoff");
  check(o.retry.jitter >= 0 && o.retry.jitter <= 1, "retry.jitter", "must be between 0 and 1");
  validate(o.circuit_breaker);
  validate(o.rate_limit);
  check(o.retry.long_delay >= 0ms, "retry.long_delay", "must not be negative (0: every retry_after is kept in the store)");
  check(o.budget.messages >= 1, "budget.messages", "must be at least 1");
  check(o.budget.bytes >= 1, "budget.bytes", "must be at least 1");
  check(o.handler_deadline >= 0ms, "handler_deadline", "must not be negative (0: handlers have no deadline)");
  check(o.drain_timeout >= 0ms, "drain_timeout", "must not be negative");
  check(o.commit_interval > 0ms, "commit_interval", "must be positive");
  check(o.report_interval >= 0ms, "report_interval", "must not be negative");
}

void add_reason(Health& health, Health::Level level, std::string reason) {
  health.level = std::max(health.level, level);
  health.reasons.push_back(std::move(reason));
}

// Pipelines of one runtime share a ledger: ids may be forgotten only as far as the slowest of them has come.
class StreamTimes {
 public:
  explicit StreamTimes(Ledger& ledger) : ledger_(ledger) {}
  std::size_t join() {
    times_.emplace_back();
    return times_.size() - 1;
  }
  void report(std::size_t who, std::optional<Timestamp> time) {
    std::lock_guard lock(mutex_);
    times_[who] = time;
    std::optional<Timestamp> slowest = times_[0];
    for (const auto& t : times_) slowest = slowest && t ? std::min(slowest, t) : std::nullopt;
    if (slowest) ledger_.advance(*slowest);
  }

 private:
  Ledger& ledger_;
  std::mutex mutex_;
  std::vector<std::optional<Timestamp>> times_;
};

enum class Until { stopped, caught_up };

void sleep(std::chrono::milliseconds pause) { std::this_thread::sleep_for(pause); }

}  // namespace

struct Runtime::Impl {
  struct Job {
    Source* source;
    TransactionalStore* store;
    bool external;
    std::function<runtime::Callee()> next_callee;  // whom the next worker calls; keeps what its factory made
    std::shared_ptr<runtime::HandlerWatch> watch;  // null: there is nothing to watch for
    // While running:
    std::shared_ptr<Ledger> ledger;
    std::unique_ptr<runtime::WorkerPool> workers;
    std::unique_ptr<runtime::Pipeline> pipeline;
    Exit exit{};
    bool abandoned = false;
    Counters counters;   // guarded by Impl::mutex
    std::string failed;  // the same: why it ended, if it should not have
    std::vector<std::string> troubles;  // the same: Pipeline::troubles()
  };

  RuntimeOptions options;
  std::vector<std::shared_ptr<Job>> jobs;  // shared with the workers: one stuck in a handler outlives the runtime
  std::atomic<bool> stopping{false}, used{false};
  runtime::SystemClock clock;
  mutable std::mutex mutex;
  std::vector<std::pair<Ledger*, std::unique_ptr<StreamTimes>>> stream_times;

  runtime::HandlerWatch::Overdue overdue_of(const Job& job) {
    return job.watch ? job.watch->overdue(clock.now()) : runtime::HandlerWatch::Overdue{};
  }

  unsigned workers() const { return options.workers ? options.workers : std::max(1u, std::thread::hardware_concurrency()); }

  StreamTimes& times_of(Ledger& ledger) {
    for (auto& [key, times] : stream_times)
      if (key == &ledger) return *times;
    return *stream_times.emplace_back(&ledger, std::make_unique<StreamTimes>(ledger)).second;
  }

  template <class Called>
  void add(Source& source, TransactionalStore& store, Called* handler, std::function<std::unique_ptr<Called>()> factory);
  runtime::LongDelays long_delays(const StoreTraits& store) const;
  void look_at_outbox(TransactionalStore& store);
  void prepare(const std::shared_ptr<Job>& job);
  void run(Job& job, Until until);
  void publish(Job& job);
  void report(Job& job, std::uint64_t& last_received);
  Exit run_all(Until until);
};

runtime::LongDelays Runtime::Impl::long_delays(const StoreTraits& store) const {
  runtime::LongDelays delays{{}, options.retry.long_delay, options.retry.on_long_delay, options.ordering};
  if (store.delays) delays.wall = [] { return runtime::SystemClock().wall(); };  // workers may outlive the runtime
  return delays;
}

void Runtime::Impl::look_at_outbox(TransactionalStore& store) {
  OutboxTable* outbox = store.outbox();
  const std::string& dead_letters = options.dead_letter_destination;
  if (!dead_letters.empty())
    check(outbox && outbox->is_open(dead_letters), "dead_letter_destination",
          "is \"" + dead_letters + "\", and no relay of " + store.traits().name + " has it: Relay::add() it first");
  if (!outbox) return;
  for (const auto& [name, rows] : runtime::ask_store([&] { return outbox->waiting(); }, sleep))
    if (!outbox->is_open(name))
      log().warn("outbox: {} rows wait for \"{}\", which no relay has: they stay where they are", rows, name);
}

void Runtime::Impl::prepare(const std::shared_ptr<Job>& shared_job) {
  Job& job = *shared_job;
  look_at_outbox(*job.store);
  job.ledger = runtime::ask_store([&] { return job.store->ledger({options.consumer, options.retention}); }, sleep);
  std::vector<runtime::Callee> callees;
  for (unsigned i = 0; i < workers(); ++i) callees.push_back(job.next_callee());
  job.workers = std::make_unique<runtime::WorkerPool>(
      *job.source, *job.ledger, std::move(callees),
      runtime::WorkerPolicy{options.retry.attempts, options.on_conflict, options.on_undecidable,
                            options.dead_letter_destination, options.consumer, options.claims, options.on_unresolved,
                              job.external ? runtime::IdsInHand::of(job.ledger) : nullptr, job.watch,
                              long_delays(job.store->traits()), options.max_result_bytes},
      shared_job);
  StreamTimes& times = times_of(*job.ledger);
  job.pipeline = std::make_unique<runtime::Pipeline>(runtime::Pipeline::Parts{
      *job.source, *job.ledger, job.store->traits(), *job.workers, clock, options, workers(), std::random_device{}(),
      [&times, who = times.join()](std::optional<Timestamp> time) { times.report(who, time); }, job.external,
      job.watch.get()});
}

// The I/O thread of one source.
void Runtime::Impl::run(Job& job, Until until) {
  auto next_report = clock.now() + options.report_interval;
  auto next_publish = clock.now();
  std::uint64_t last_received = 0;
  ExitReason reason = ExitReason::stopped;
  try {
    job.pipeline->start();
    while (!stopping.load(std::memory_order_relaxed) && !job.pipeline->ended()) {
      if (until == Until::caught_up && job.pipeline->caught_up()) {
        reason = ExitReason::caught_up;
        break;
      }
      job.pipeline->turn(until == Until::caught_up ? 50ms : 500ms);
      const auto now = clock.now();
      if (now >= next_publish) {
        publish(job);
        next_publish = now + 20ms;
      }
      if (options.report_interval > 0ms && now >= next_report) {
        report(job, last_received);
        next_report = now + options.report_interval;
      }
    }
    job.exit = job.pipeline->leave(reason);
  } catch (const StoreError& e) {
    job.exit = {ExitReason::store_failed, e.what()};
  } catch (const std::exception& e) {
    job.exit = {ExitReason::source_failed, job.source->traits().name + ": " + e.what()};
  }
  publish(job);
  job.abandoned = !job.workers->stop(job.exit.reason == ExitReason::drain_timeout ? 0ms : options.drain_timeout);
  if (job.abandoned && job.watch) job.watch->close();
  if (job.exit.ok()) log().info("{}: {}", job.source->traits().name, to_string(job.exit.reason));
  else log().error("{}: {}: {}", job.source->traits().name, to_string(job.exit.reason), job.exit.detail);
  // One source alone is not the service: the others end with it.
  if (!job.exit.ok() || until == Until::stopped) stopping = true;
}

void Runtime::Impl::publish(Job& job) {
  Counters now = job.pipeline->counters();
  std::vector<std::string> troubles;
  if (!job.pipeline->ended()) troubles = job.pipeline->troubles();
  std::lock_guard lock(mutex);
  job.counters = now;
  job.troubles = std::move(troubles);
  if (!job.exit.ok()) job.failed = job.source->traits().name + ": " + job.exit.detail;
}

void Runtime::Impl::report(Job& job, std::uint64_t& last_received) {
  const Counters c = job.pipeline->counters();
  const double seconds = std::chrono::duration<double>(options.report_interval).count();
  const std::string held = job.pipeline->held_back_by();
  const std::size_t overdue = overdue_of(job).calls;
  const char* breaker = job.pipeline->core().breaker().state() == core::Breaker::State::closed ? "" : " breaker=open";
  log().info("{} rate={:.0f}/s done={} lag={} in_flight={} duplicates={} parked={} retries={}{}{}{}{}",
             job.source->traits().name, static_cast<double>(c.received - last_received) / seconds, c.done, c.lag,
             c.in_flight, c.duplicates, c.parked, c.retries, breaker, overdue ? " overdue=" + std::to_string(overdue) : "",
             held.empty() ? "" : " stream_time_held_by=", held);
  last_received = c.received;
}

Exit Runtime::Impl::run_all(Until until) {
  if (jobs.empty()) throw std::logic_error("idem: nothing to run: Runtime::add() a source first");
  if (used.exchange(true)) throw std::logic_error("idem: a Runtime runs once");
  for (auto& job : jobs) prepare(job);
  std::vector<std::thread> threads;
  for (auto& job : jobs) threads.emplace_back([this, &job, until] { run(*job, until); });
  for (auto& thread : threads) thread.join();
  Exit exit = jobs.front()->exit;
  for (auto& job : jobs)
    if (!job->exit.ok()) {
      exit = job->exit;
      break;
    }
  return exit;
}

Runtime::Runtime(RuntimeOptions options) : impl_(std::make_unique<Impl>()) {
  validate(options);
  impl_->options = std::move(options);
}

Runtime::~Runtime() = default;

template <class Called>
void Runtime::Impl::add(Source& source, TransactionalStore& store, Called* handler,
                        std::function<std::unique_ptr<Called>()> factory) {
  if (!handler && !factory) throw std::invalid_argument("idem: Runtime::add() got an empty handler factory");
  if (options.identity.kind() == Identity::Kind::position && !source.traits().stable_positions)
    throw std::invalid_argument("idem: " + source.traits().name +
                                " has no stable positions, so id_from_position() cannot tell a copy from a new message; "
                                "use id_from_header() or id_from()");
  constexpr bool external = std::is_same_v<Called, ExternalHandler>;
  if (external && options.claims == Claims::durable && !store.traits().claims)
    throw std::invalid_argument("idem: " + store.traits().name +
                                " keeps no claims, so a call that is repeated after a crash could not say so; use "
                                "another store, or Claims::in_memory and do without");
  auto job = std::make_shared<Job>();
  job->source = &source;
  job->store = &store;
  job->external = external;
  if (external || options.handler_deadline > 0ms)  // a Handler cannot be told to stop, only be named
    job->watch = std::make_shared<runtime::HandlerWatch>(options.handler_deadline,
                                                         options.identity.kind() == Identity::Kind::header);
  job->next_callee = [handler, factory = std::move(factory), own = std::vector<std::shared_ptr<Called>>()]() mutable {
    if (!factory) return runtime::Callee(*handler);
    own.push_back(factory());
    if (!own.back()) throw std::invalid_argument("idem: the handler factory returned no handler");
    return runtime::Callee(*own.back());
  };
  jobs.push_back(std::move(job));
}

void Runtime::add_pipeline(Source& source, Store& store, Handler* handler, HandlerFactory factory) {
  impl_->add(source, dynamic_cast<TransactionalStore&>(store), handler, std::move(factory));
}

void Runtime::add_external(Source& source, TransactionalStore& store, ExternalHandler* handler,
                           ExternalHandlerFactory factory) {
  impl_->add(source, store, handler, std::move(factory));
}

Exit Runtime::run() { return impl_->run_all(Until::stopped); }
Exit Runtime::run_until_caught_up() { return impl_->run_all(Until::caught_up); }

Exit Runtime::run_until_signal() {
  runtime::SignalWatch watch([this] { stop(); });
  Exit exit = run();
  const bool abandoned = std::any_of(impl_->jobs.begin(), impl_->jobs.end(), [](auto& job) { return job->abandoned; });
  if (abandoned) {
    // A handler that does not return would use objects that main() is about to destroy.
    log().flush();
    std::fflush(nullptr);
    std::_Exit(exit);
  }
  return exit;
}

void Runtime::stop() {
  impl_->stopping = true;
  for (auto& job : impl_->jobs) job->source->wake();
}

Counters Runtime::counters() const {
  std::lock_guard lock(impl_->mutex);
  Counters sum;
  for (const auto& job : impl_->jobs) {
    sum += job->counters;
    sum.overdue += impl_->overdue_of(*job).calls;
  }
  return sum;
}

Health Runtime::health() const {
  Health health;
  std::lock_guard lock(impl_->mutex);
  for (const auto& job : impl_->jobs) {
    if (!job->failed.empty()) add_reason(health, Health::Level::red, job->failed);
    for (const std::string& trouble : job->troubles)
      add_reason(health, Health::Level::yellow, job->source->traits().name + ": " + trouble);
    if (const auto overdue = impl_->overdue_of(*job); overdue.calls > 0)
      add_reason(health, Health::Level::yellow,
                 "overdue handlers: " + std::to_string(overdue.calls) + ", the longest: " + overdue.longest);
  }
  return health;
}

}  // namespace idem
