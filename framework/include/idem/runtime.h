// The consumer runtime: pulls messages from sources, hands them to handlers, and tells the broker "done" only after
// effect and record are durable in the store.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <idem/circuit_breaker.h>
#include <idem/external_handler.h>
#include <idem/handler.h>
#include <idem/health.h>
#include <idem/identity.h>
#include <idem/source.h>
#include <idem/store.h>

namespace idem {

enum class Ordering {
  by_partition,  ///< the effects of a partition happen in log order; parallel across partitions
  by_key,        ///< the effects of a key happen in log order; messages without a key have no order
  unordered,     ///< no order; the most parallel
};

/// What may be in memory at once: received and not yet durable, waiting for a retry included. At the limit the source
/// is paused (and still polled); it is resumed at half of it.
struct Budget {
  std::size_t messages = 10'000;
  std::size_t bytes = 64 << 20;   ///< payload, key and headers. One message larger than this is still handled, alone.
                                  ///< Half of it is for what the broker client fetches ahead.
};

/// How fast messages are handed to handlers, for the sake of what these call. Every attempt counts, a retry too; what
/// waits for its turn waits in the budget. A duplicate that only the store knows counts as well.
struct RateLimit {
  double messages_per_second = 0;  ///< 0: no limit. Otherwise 0.001 to 1,000,000; below what arrives, the lag grows.
  int burst = 1;                   ///< so many at once after a quieter time, 1 to 1,000,000. Less than 10 ms' worth is
                                   ///< taken as 10 ms' worth: the limit is kept over that time, not between two calls.
};

/// What becomes of the later messages of its lane (of its partition, of its key) while a message has a long delay.
enum class OnLongDelay {
  wait,  ///< they wait, and the message stays in memory like one with a short delay: order is kept. It takes its place in
         ///< the budget all that time, and the broker is told of nothing behind it (RabbitMQ: mind consumer_timeout).
         ///< After a restart the broker delivers it again, and it is called at once.
  pass,  ///< the message goes into the store and they pass it: their effects come before its own
};

/// What happens between a failure and the parking lot. In an ordered lane the lane waits meanwhile; others go on.
struct RetryPolicy {
  int attempts = 10;              ///< calls in all; then the message is parked, unless it looks like an outage
                                  ///< (CircuitBreaker). Too few: an outage parks messages before it looks like one.
  std::chrono::milliseconds first_backoff{100};
  std::chrono::milliseconds max_backoff{30'000};
  double jitter = 0.2;            ///< share of the backoff that is random, 0 to 1; spreads retries of many messages

  /// A retry_after that asks for more than this is a long delay: the message is kept in the store with the time when it is
  /// due, in one commit; the broker is told; its place in the budget is free. When due it comes back, in this process or
  /// the next, to the partition it came from, with its id and its count of attempts; meanwhile a copy of it is a
  /// duplicate. Due is a time of the wall clock: one that is put back makes it later, one that is put forward earlier.
  /// Shorter: more commits and rows. Longer: more is held in memory, and is called at once after a restart.
  /// Only with a store that can (StoreTraits::delays); with others all delays are in memory.
  std::chrono::milliseconds long_delay{30'000};
  /// Of messages that have a lane. Those without (Ordering::unordered; by_key without a key) hold up nobody.
  OnLongDelay on_long_delay = OnLongDelay::wait;
};

enum class OnConflict {
  park,       ///< keep the second message for a person: two payments under one id are not one payment
  duplicate,  ///< treat it as a copy: for producers that change the payload of an honest resend
};

enum class OnUndecidable {
  park,  ///< keep it for a person
  run,   ///< call the handler: right only if producers never send twice; a copy then has a second effect
};

/// What an ExternalHandler's message leaves in the store before its call.
enum class Claims {
  durable,    ///< a claim, in a commit of its own before the call: a call that is repeated after a crash says so
  in_memory,  ///< nothing, and one commit less: a call that is repeated after a crash looks like a first one
};

enum class OnUnresolved {
  call,  ///< call again, with the same key: right if whoever is called tells copies by it
  park,  ///< keep the message for a person: no call is ever made twice without ExternalHandler::resolve's word
};

/// Explicit consent to what is refused by default. Set one for one start, after reading the error that names it.
struct Accept {
  bool empty_store = false;      ///< the broker has our progress and the store has none: start from the broker's
                                 ///< offset. What the lost store remembered is gone: copies have a second effect.
                                 ///< While set, a second process with its own store is not looked for.
  bool other_store = false;      ///< adopt partitions whose progress another store made (a moved service). Unless the
                                 ///< other process is gone for good, every redelivery to it has a second effect.
  bool recreated_topic = false;  ///< the topic or cluster is another one: start over at its beginning, ids are kept
};

struct RuntimeOptions {
  /// Scope of everything remembered. Required. Renaming it forgets the history: every copy is then new.
  std::string consumer;
  /// How a message is known. Required. Kafka positions are remembered beside it and answer most redeliveries.
  Identity identity;
  Fingerprint fingerprint;
  Ordering ordering = Ordering::by_partition;

  /// How long an id is remembered, in stream time (broker timestamps; stands still while the consumer is down).
  /// Copies further apart have two effects: longer than the longest way a copy can come back (the topic's
  /// retention, producer retries, dead-letter redrive). Costs memory and disk per id.
  std::chrono::milliseconds retention{std::chrono::days(7)};
  OnConflict on_conflict = OnConflict::park;
  OnUndecidable on_undecidable = OnUndecidable::park;
  Accept accept;

  /// Of an ExternalHandler only.
  Claims claims = Claims::durable;
  /// Of an ExternalHandler only: an earlier call may have been made, and `resolve` answers unknown.
  OnUnresolved on_unresolved = OnUnresolved::call;

  /// The largest result of done(result) that is kept. Results are in the store's file as long as their ids are, and in
  /// memory until they are durable, not counted by `budget`. A larger one is a mistake of the handler's: of a Handler,
  /// what it wrote is rolled back and the message parked as dead_letter; of an ExternalHandler, whose call has been made,
  /// the message is done without a result, which is logged (not what is in it).
  std::size_t max_result_bytes = 64 << 10;

  RetryPolicy retry;
  CircuitBreaker circuit_breaker;  ///< of each source one
  RateLimit rate_limit;            ///< of each source

  /// What is parked is also published, in the same transaction, to this destination of the store's outbox: as it came,
  /// with headers idem-reason, idem-why, idem-topic, idem-partition, idem-offset and idem-attempts. Its id
  /// is the message's. A Relay must have it. Empty: nowhere.
  std::string dead_letter_destination;

  /// How long one call of a handler may take (of an ExternalHandler: of `handle`, and of `resolve`). Past it the call is
  /// overdue: logged once with its place, counted (Counters::overdue), Runtime::health() is yellow, and an
  /// ExternalHandler's Attempt::stop is requested. That is all: a handler is never killed, never called a second time
  /// while it runs, and what it returns counts however late it is. Until then its worker and its lane wait (and
  /// everybody, if it is a Handler that has touched its Transaction). Shorter than healthy calls take: they are told to
  /// stop, and use their attempts up. 0: none, the default, because only the service knows what is too long.
  std::chrono::milliseconds handler_deadline{0};

  /// After a stop: how long running handlers may take to finish. When a tenth of it is left, running ExternalHandlers
  /// have their Attempt::stop requested and none is called any more. Past it run() returns Reason::drain_timeout;
  /// nothing is lost, what was unfinished comes again.
  std::chrono::milliseconds drain_timeout{30'000};

  // --- What changes speed, not behaviour ------------------------------------------------------------------------

  /// Threads that run handlers, per source. 0: one per core. More than cores only for handlers that wait.
  unsigned workers = 0;
  Budget budget;
  /// How often finished offsets are committed to the broker. Longer: more is re-read (and skipped) after a crash.
  std::chrono::milliseconds commit_interval{1'000};
  /// How often a one-line report of rate, lag, duplicates, parked is logged. 0: never.
  std::chrono::milliseconds report_interval{5'000};
};

/// Why run() returned.
enum class ExitReason {
  stopped,        ///< stop(), SIGTERM or SIGINT; everything received was finished or handed back
  caught_up,      ///< run_until_caught_up(): everything that was there is done
  drain_timeout,  ///< a handler was still running at the deadline; nothing lost
  refused,        ///< the store's and the broker's progress do not belong together; `detail` names the way out
  source_failed,  ///< the broker said no for good
  store_failed,   ///< the store is corrupt, gone or no longer ours
};
std::string_view to_string(ExitReason reason);

struct [[nodiscard]] Exit {
  ExitReason reason = ExitReason::stopped;
  std::string detail;  ///< one line for a person: what happened, to what, what to do

  bool ok() const { return reason == ExitReason::stopped || reason == ExitReason::caught_up; }
  /// A process exit code: 0 if ok(), else 1.
  operator int() const { return ok() ? 0 : 1; }
};

/// What has happened since the start. The books balance: received + returned = done + duplicates + parked + delayed +
/// in_flight + abandoned (handed back at a revoke or stop, or of an assignment that ended).
struct Counters {
  std::uint64_t received = 0, done = 0, duplicates = 0, parked = 0, in_flight = 0, abandoned = 0;
  std::uint64_t delayed = 0;            ///< kept in the store until they are due (RetryPolicy::long_delay)
  std::uint64_t returned = 0;           ///< have come back from there, or were redriven
  std::uint64_t retries = 0;            ///< handler calls that ended in retry
  std::uint64_t not_applied = 0;        ///< records whose group failed to commit and ran again
  std::uint64_t stale_completions = 0;  ///< finished after their assignment had ended; never acknowledged
  std::int64_t lag = 0;                 ///< messages in the log behind the watermarks, as far as known
  std::uint64_t undecidable = 0, conflicts = 0;
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t overdue = 0;            ///< handlers that have been running for longer than handler_deadline by now
  std::uint64_t breaker_opened = 0, breaker_closed = 0;
  std::uint64_t probes = 0;             ///< messages sent out to see whether a breaker can close
  std::uint64_t parkings_withheld = 0;  ///< times a message with its attempts used up was tried on, not parked

  Counters& operator+=(const Counters& other);
};

class Runtime {
 public:
  /// Throws std::invalid_argument naming the field that is wrong.
  explicit Runtime(RuntimeOptions options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Messages of `source` go to `handler`, with effect and record in `store`. All three are borrowed until run()
  /// has returned. One object serves all workers.
  template <std::derived_from<Store> S>
  void add(Source& source, S& store, Handler& handler) {
    require_transactions<S>();
    add_pipeline(source, store, &handler, nullptr);
  }
  /// The same with one handler object per worker.
  template <std::derived_from<Store> S>
  void add(Source& source, S& store, HandlerFactory factory) {
    require_transactions<S>();
    add_pipeline(source, store, nullptr, std::move(factory));
  }
  /// The same for a handler whose effect is elsewhere: the store has the records.
  void add(Source& source, TransactionalStore& store, ExternalHandler& handler) {
    add_external(source, store, &handler, nullptr);
  }
  void add(Source& source, TransactionalStore& store, ExternalHandlerFactory factory) {
    add_external(source, store, nullptr, std::move(factory));
  }

  /// Runs until stop() or an error. Blocks. Once per Runtime.
  Exit run();
  /// The same, and SIGTERM or SIGINT is a stop(); a second signal ends the process at once (exit code 128 + signal).
  Exit run_until_signal();
  /// Runs until everything that was in the log is done, for back-fills and tests. What has a long delay and is not due
  /// stays in the store.
  Exit run_until_caught_up();
  /// Stops fetching, finishes what runs, commits, leaves. From any thread, also from a handler.
  void stop();

  /// From any thread, while running and after.
  Counters counters() const;
  /// From any thread, while running and after. Green before the run and after one that ended in order.
  Health health() const;

 private:
  template <class S>
  static constexpr void require_transactions() {
    static_assert(std::derived_from<S, TransactionalStore>,
                  "idem: a Handler writes its effect in the store's transaction, and this store has none. "
                  "Use a TransactionalStore such as idem::SqliteStore.");
  }
  void add_pipeline(Source&, Store&, Handler*, HandlerFactory);
  void add_external(Source&, TransactionalStore&, ExternalHandler*, ExternalHandlerFactory);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace idem
