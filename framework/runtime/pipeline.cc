#include "runtime/pipeline.h"

#include <algorithm>
#include <utility>

#include "core/idempotency_key.h"
#include "core/mutant.h"
#include "core/siphash.h"
#include "core/start_position.h"
#include "core/stream_clock.h"
#include "runtime/failpoint.h"
#include "runtime/log.h"

namespace idem::runtime {

using namespace std::chrono_literals;
using core::Delivery;
using core::Mutant;
using core::mutated;
using core::Partition;

namespace {

constexpr std::size_t messages_per_poll = 512;
constexpr auto stream_time_interval = 1s;
/// Brokers forget the offsets of idle groups after days: say them again long before.
constexpr auto recommit_interval = 1h;

/// One budget for both: half of it is for what the client library has fetched and not yet delivered.
std::size_t prefetch_bytes(const Budget& budget) { return budget.bytes / 2; }

core::CoreOptions core_options(const Pipeline::Parts& parts) {
  core::CoreOptions options;
  options.ordering = parts.options.ordering;
  options.budget = parts.options.budget;
  options.budget.bytes -= prefetch_bytes(parts.options.budget);
  options.retry = parts.options.retry;
  options.circuit_breaker = parts.options.circuit_breaker;
  options.rate_limit = parts.options.rate_limit;
  options.workers = parts.workers;
  options.stable_positions = parts.source.traits().stable_positions;
  options.seed = parts.seed;
  return options;
}

bool went_well(const core::Completion& completion) {
  const core::Verdict verdict = completion.delivery->verdict;
  return completion.kind == core::Completion::Kind::durable &&
         (verdict == core::Verdict::done || verdict == core::Verdict::duplicate);
}

}  // namespace

Pipeline::Pipeline(Parts parts)
    : parts_(std::move(parts)),
      core_(core_options(parts_)),
      metadata_(core::commit_metadata(parts_.store.id)),
      positions_(parts_.source.traits().stable_positions),
      events_(256) {}

void Pipeline::start() {
  SourceContext context;
  context.consumer = parts_.options.consumer;
  context.budget_messages = parts_.options.budget.messages;
  context.budget_bytes = prefetch_bytes(parts_.options.budget);
  context.drain_timeout = parts_.options.drain_timeout;
  context.shared_store = parts_.store.shared;
  const auto now = parts_.clock.now();
  next_commit_ = now + parts_.options.commit_interval;
  next_recommit_ = now + recommit_interval;
  next_stream_time_ = now + stream_time_interval;
  parts_.source.start(*this, context);
}

// --- The path of a message ----------------------------------------------------------------------------------------

void Pipeline::turn(std::chrono::milliseconds longest) {
  // 1. Messages, assignments and commit answers come in through the on_… functions below.
  const auto wait = time_to_wait(longest);
  const bool ready = parts_.executor.set_waiting(true);
  parts_.source.poll(ready ? 0ms : wait, std::clamp<std::size_t>(core_.room(), 1, messages_per_poll));
  parts_.executor.set_waiting(false);
  start_over();

  // 2. What workers and store are through with moves the finished prefixes on.
  collect();
  // 3. Retries that are due may run again, and what the breaker or the rate limit held back.
  core_.tick(parts_.clock.now());
  report_breaker();
  // 4. So may what the store has kept until now.
  take_returning();
  // 5. Whatever may run goes to the workers, which call the handler and join the store's group (BatchRun).
  dispatch();
  // 6. Handlers that take too long are named and told.
  watch_handlers();
  // 7. The source is paused where the budget is used up.
  reconcile_pauses();
  // 8. The broker is told what is done, position by position or message by message: only what is durable.
  skip_empty_tails();
  if (positions_) commit_due();
  else acknowledge();
  // 9. Ids grow old by the messages' own time.
  advance_stream_time();
}

bool Pipeline::on_message(PartitionHandle handle, const Message& message) {
  Delivery* delivery = core_.receive(handle, message);
  if (!delivery) return true;  // of an assignment that has ended
  identify(*delivery);
  (void)IDEM_FAILPOINT("io.received");
  if (core_.enqueue(delivery) == core::DeliveryCore::Received::other_record)
    other_record(*core_.find(handle), message.offset);
  return core_.room() > 0 && core_.room_in_bytes();
}

// Fills in by what the message is known: id, fingerprint of its content, print of its position, its time.
void Pipeline::identify(Delivery& delivery, std::string_view known_as) {
  const RuntimeOptions& options = parts_.options;
  const HashKey& key = parts_.ledger.hash_key();
  Message& message = delivery.message;
  Record& record = delivery.record;

  const auto content = core::siphash64(key, message.payload.value_or("null"));
  const auto stamp = static_cast<std::uint64_t>(message.timestamp ? message.timestamp->time_since_epoch().count() : -1);
  record.print = (content ^ (stamp * 0x9e3779b97f4a7c15u) ^ std::hash<std::string_view>{}(message.key.value_or(""))) | 1;

  const Timestamp wall = parts_.clock.wall();
  record.time = std::min(message.timestamp.value_or(wall), wall);

  if (options.identity.kind() == Identity::Kind::position) {
    if (parts_.external) record.id = core::siphash128(key, core::id_of_position(message));  // a claim needs one
    return;
  }
  std::optional<std::string_view> id;
  if (known_as.empty()) id = options.identity.find(message, delivery.id_scratch);
  else id = delivery.id_scratch = known_as;
  if (!id) {
    delivery.must_park = ParkReason::no_id;
    return;
  }
  message.id = *id;
  record.id = core::siphash128(key, mutated(Mutant::id_truncated) ? id->substr(0, 1) : *id);
  if (options.fingerprint.is_none()) return;
  if (!options.fingerprint.function()) {
    record.fingerprint = content | 1;
    return;
  }
  std::string parts;
  try {
    parts = options.fingerprint.function()(message);
  } catch (...) {
    parts.clear();  // documented: counts as an empty result
  }
  record.fingerprint = core::siphash64(key, parts) | 1;
}

void Pipeline::collect() {
  while (std::size_t count = parts_.executor.collect(events_)) {
    const auto now = parts_.clock.now();
    for (const WorkerEvent& event : std::span(events_).first(count)) {
      if (event.completion.delivery) {
        if (!went_well(event.completion)) report(event.completion);
        core_.complete(event.completion, now);
      } else if (event.batch) {
        core_.batch_done(event.batch, event.took);
      } else if (auto pending = skips_.extract(event.skip_token); !pending.empty() && event.skip_durable) {
        core_.skipped(pending.mapped().handle, pending.mapped().skip);
      }
    }
    (void)IDEM_FAILPOINT("io.completed");
  }
  if (auto failure = parts_.executor.failure(); !failure.empty()) end(ExitReason::store_failed, std::move(failure));
}

// What a person may want to know of one message. Retries only the first time: an outage must not drown the log.
void Pipeline::report(const core::Completion& completion) {
  const Delivery& d = *completion.delivery;
  if (completion.kind == core::Completion::Kind::retry) return report_retry(d);
  if (completion.kind != core::Completion::Kind::durable) return;
  if (d.verdict == core::Verdict::parked)
    log().warn("parked topic={} partition={} offset={} reason={} why=\"{}\"", d.message.topic, d.message.partition,
               d.message.offset, to_string(d.park_reason), d.why);
  else if (d.verdict == core::Verdict::delayed && d.attempts == 0)
    log().warn("delayed topic={} partition={} offset={} why=\"{}\"", d.message.topic, d.message.partition,
               d.message.offset, d.why);
}

void Pipeline::report_retry(const Delivery& d) {
  if (last_failure_ != d.why) last_failure_ = d.why;
  if (d.attempts + 1 == parts_.options.retry.attempts)
    log().warn("parking withheld topic={} partition={} offset={} attempts={} why=\"{}\"; it may be an outage: tried on",
               d.message.topic, d.message.partition, d.message.offset, d.attempts + 1, d.why);
  else if (d.attempts == 0)
    log().warn("retry topic={} partition={} offset={} why=\"{}\"", d.message.topic, d.message.partition,
               d.message.offset, d.why);
}

void Pipeline::dispatch() {
  if (leaving_ || ended_) return;
  while (core::Batch* batch = core_.next_batch()) {
    (void)IDEM_FAILPOINT("io.dispatched");
    parts_.executor.submit(batch);
  }
}

void Pipeline::watch_handlers() {
  if (!parts_.watch || next_look_ == core::Ticks::max()) return;
  const auto now = parts_.clock.now();
  if (now >= next_look_) next_look_ = parts_.watch->look(now);
}

void Pipeline::reconcile_pauses() {
  for (Partition& p : core_.partitions()) {
    if (!p.assigned) continue;
    const bool pause = leaving_ || core_.wants_pause(p);
    if (pause == p.paused) continue;
    p.paused = pause;
    parts_.source.set_paused(p.handle(), pause);
  }
}

// At the end of a log may be offsets without a message (transaction markers): the position is carried past them, in
// the store first like everything else.
void Pipeline::skip_empty_tails() {
  if (!positions_ || leaving_) return;
  for (Partition& p : core_.partitions()) {
    if (!p.assigned) continue;
    auto skip = core_.skippable(p);
    if (!skip) continue;
    const bool pending = std::any_of(skips_.begin(), skips_.end(),
                                     [&](const auto& s) { return s.second.handle == p.handle(); });
    if (pending) continue;
    const std::uint64_t token = next_skip_token_;
    next_skip_token_ += 2;
    skips_[token] = {p.handle(), *skip};
    try {
      parts_.ledger.skip(p.slot, skip->from, skip->to, token, parts_.executor.listener());
    } catch (const StoreError& e) {
      skips_.erase(token);  // tried again with the next turn
      if (!e.transient()) throw;
      return;
    }
  }
}

void Pipeline::commit_due() {
  const auto now = parts_.clock.now();
  if (now < next_commit_) return;
  next_commit_ = now + parts_.options.commit_interval;
  if (now >= next_recommit_) {
    next_recommit_ = now + recommit_interval;
    for (Partition& p : core_.partitions()) p.committed = -1;
  }
  commit(false);
}

// A delivery completes once, so it is acknowledged once; what an ended assignment left behind is not `finished`.
void Pipeline::acknowledge() {
  for (Partition& p : core_.partitions()) {
    if (!p.assigned || p.finished.empty()) continue;
    (void)IDEM_FAILPOINT("io.before_commit");
    parts_.source.acknowledge(p.handle(), p.finished);
    p.finished.clear();
    (void)IDEM_FAILPOINT("io.after_commit");
  }
}

// Commits what is finished of all assigned partitions, or of some.
void Pipeline::commit(bool wait, const std::vector<PartitionHandle>& only) {
  if (!positions_) return acknowledge();
  commits_.clear();
  for (Partition& p : core_.partitions()) {
    if (!p.assigned || !p.progress.started()) continue;
    if (!only.empty() && std::find(only.begin(), only.end(), p.handle()) == only.end()) continue;
    const std::int64_t next = mutated(Mutant::in_flight_on_revoke) && wait ? p.position : core_.committable(p);
    if (next == p.committed || (!wait && p.sent >= 0)) continue;
    p.sent = next;
    commits_.push_back({p.handle(), p.ref, next, metadata_});
  }
  if (commits_.empty()) return;
  (void)IDEM_FAILPOINT("io.before_commit");
  parts_.source.commit(commits_, wait);
  (void)IDEM_FAILPOINT("io.after_commit");
}

// The last word before partitions are given up: a commit that fails for the moment is repeated a few times. What then
// remains uncommitted comes again and is recognised.
void Pipeline::commit_now(const std::vector<PartitionHandle>& only, core::Ticks deadline) {
  commit_failures_ = 0;
  commit(true, only);
  for (int tries = 1; commit_failures_ > 0 && tries < 6 && !ended_failed(); ++tries) {
    const auto pause = std::min<core::Ticks::duration>(20ms * (1 << tries), deadline - parts_.clock.now());
    if (pause <= 0ms) return;
    parts_.executor.wait(std::chrono::ceil<std::chrono::milliseconds>(pause));
    collect();
    commit(true, only);
  }
}

void Pipeline::on_committed(std::span<const CommitResult> results) {
  bool failed = false;
  for (const CommitResult& result : results) {
    Partition* p = core_.find(result.handle);
    if (!p) continue;
    p->sent = -1;
    if (result.ok) {
      p->committed = result.next;
      continue;
    }
    failed = true;
    if (!mutated(Mutant::failed_commit_believed)) p->committed = -1;  // not known: only the answer may be lost
    if (!result.retriable)
      return end(ExitReason::source_failed, "offset commit of " + to_string(p->ref) + " refused: " + result.error);
    if (commit_failures_ == 0)
      log().warn("commit failed topic={} partition={} offset={} error=\"{}\"; nothing is lost, it is repeated",
                 p->ref.topic, p->ref.partition, result.next, result.error);
  }
  // Failing commits back off: a rebalance refuses them for seconds.
  commit_failures_ = failed ? std::min(commit_failures_ + 1, 6) : 0;
  if (failed) next_commit_ = std::max(next_commit_, parts_.clock.now() + 50ms * (1 << commit_failures_));
}

// --- Other news from the source ------------------------------------------------------------------------------------

void Pipeline::on_end(PartitionHandle partition, std::int64_t next) { core_.at_end(partition, next); }

void Pipeline::on_group_commit(const PartitionRef& partition, std::int64_t, std::string_view metadata) {
  const Accept& accept = parts_.options.accept;
  if (parts_.store.shared || !parts_.store.durable || accept.other_store || accept.empty_store) return;
  const auto writer = core::store_in_metadata(metadata);
  if (!writer || *writer == parts_.store.id) return;
  end(ExitReason::refused,
      to_string(partition) + " of this group is processed with another store (" +
          std::string(*writer) + ", this one is " + parts_.store.id +
          "): after a rebalance neither knows what the other has done, and redeliveries would have a second effect. "
          "Share one PostgreSQL store, or give each process partitions of its own in a group of its own "
          "(KafkaOptions::Mode::fixed); if the other process is gone for good, set accept.other_store. If there is no "
          "other process and this store's file is new because the old one was lost, restore it or set "
          "accept.empty_store");
}

void Pipeline::on_fatal(std::string_view what) { end(ExitReason::source_failed, std::string(what)); }
void Pipeline::on_warning(std::string_view what) { log().warn("{}", what); }

// --- Ending -------------------------------------------------------------------------------------------------------

bool Pipeline::caught_up() {
  bool any = false;
  for (const Partition& p : core_.partitions()) {
    if (!p.assigned) continue;
    any = true;
    if (!p.at_end || p.messages > 0 || core_.skippable(p)) return false;
    if (parts_.store.delays && p.next_return && *p.next_return <= parts_.clock.wall()) return false;
  }
  return (any || !stopped_partition_.empty()) && core_.idle() && skips_.empty();
}

bool Pipeline::drain(const std::vector<PartitionHandle>& only, core::Ticks deadline) {
  auto running = [&] {
    if (only.empty()) return core_.dispatched() > 0;
    return std::any_of(only.begin(), only.end(), [&](PartitionHandle h) { return core_.dispatched(h) > 0; });
  };
  // Workers of a store that is gone finish nothing more: that is no drain to wait for.
  return collect_while(running, deadline) || !parts_.executor.failure().empty();
}

bool Pipeline::collect_while(const std::function<bool()>& under_way, core::Ticks deadline) {
  for (collect(); under_way(); collect()) {
    watch_handlers();
    const auto now = parts_.clock.now();
    if (now >= deadline || !parts_.executor.failure().empty()) return false;
    const auto until = parts_.watch ? std::clamp(next_look_, now, deadline) : deadline;
    parts_.executor.wait(std::min(std::chrono::ceil<std::chrono::milliseconds>(until - now), 1'000ms));
    parts_.source.keep_alive();
  }
  return true;
}

Exit Pipeline::leave(ExitReason reason) {
  if (!ended_) ended_ = Exit{reason, {}};
  leaving_ = true;
  reconcile_pauses();
  leave_deadline_ = parts_.clock.now() + parts_.options.drain_timeout;
  const bool drained = drain_all();
  (void)IDEM_FAILPOINT("io.drained");
  if (!drained && ended_->ok())
    ended_ = Exit{ExitReason::drain_timeout,
                  std::to_string(core_.dispatched()) + " messages were still with their handlers after " +
                      std::to_string(parts_.options.drain_timeout.count()) +
                      " ms; they are not acknowledged and come again"};
  commit_now({}, leave_deadline_);
  parts_.source.stop();
  if (ended_->ok() && !stopped_partition_.empty()) ended_ = Exit{ExitReason::refused, stopped_partition_};
  return *ended_;
}

// Handlers that can be told to stop are told in time: what they say then still counts.
bool Pipeline::drain_all() {
  if (parts_.watch) {
    if (drain({}, leave_deadline_ - parts_.options.drain_timeout / 10)) return true;
    parts_.watch->close();
  }
  return drain({}, leave_deadline_);
}

bool Pipeline::ended_failed() const { return ended_ && !ended_->ok(); }

void Pipeline::end(ExitReason reason, std::string detail) {
  if (!ended_) ended_ = Exit{reason, std::move(detail)};
}

// --- Time ---------------------------------------------------------------------------------------------------------

std::chrono::milliseconds Pipeline::time_to_wait(std::chrono::milliseconds longest) {
  auto until = parts_.clock.now() + longest;
  if (auto due = core_.next_due()) until = std::min(until, *due);
  if (auto pause = time_to_next_return(); pause && *pause < longest) until = std::min(until, parts_.clock.now() + *pause);
  until = std::min(until, next_stream_time_);
  if (positions_) until = std::min(until, next_commit_);
  if (parts_.watch && core_.dispatched() > 0) until = std::min(until, next_look_);
  return std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(until - parts_.clock.now()));
}

void Pipeline::advance_stream_time() {
  const auto now = parts_.clock.now();
  if (now < next_stream_time_) return;
  next_stream_time_ = now + stream_time_interval;
  // A partition that is not read may hold a backlog of any age: nothing is forgotten while one is stopped.
  if (!stopped_partition_.empty()) return;
  const auto stream = core::stream_time(core_.partitions(), parts_.clock.wall());
  held_back_by_.clear();
  if (stream.held_back) held_back_by_ = to_string(stream.held_back->ref);
  parts_.on_stream_time(stream.time);
}

Counters Pipeline::counters() const {
  Counters counters = core_.counters();
  for (const Partition& p : const_cast<core::DeliveryCore&>(core_).partitions())
    if (p.assigned && p.progress.started()) counters.lag += parts_.source.lag(p.handle(), p.progress.watermark()).value_or(0);
  return counters;
}

}  // namespace idem::runtime
