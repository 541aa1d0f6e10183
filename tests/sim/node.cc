#include "sim/node.h"

#include <charconv>
#include <stdexcept>

#include "runtime/external_run.h"
#include "runtime/handler_run.h"
#include "sim/log_source.h"
#include "sim/queue_source.h"

namespace idem::sim {

using namespace std::chrono_literals;

Outcome SimHandler::handle(const Message& message, Transaction& tx) {
  const Place place = place_of(message);
  history_.trace("handler   %d@%d attempt %d", place.partition, static_cast<int>(place.offset), message.attempt);
  if (history_.fault(Fault::handler_throws)) throw std::runtime_error("thrown");
  int payload = 0;
  std::from_chars(message.payload->data() + 1, message.payload->data() + message.payload->size(), payload);
  tx.exec("", place.partition, place.offset, payload);
  if (history_.fault(Fault::handler_dead_letter)) return dead_letter("bad");
  if (history_.outage) return retry("down");
  if (history_.fault(Fault::handler_retry, 4)) {
    if (source_.position(place.partition) > place.offset + 1) history_.saw(Saw::retry_holds_lane);
    return history_.choices.detail(2) == 1 ? retry_after(20ms, "later") : retry("again");
  }
  return done();
}

namespace {

runtime::LongDelays long_delays(History& history, const RuntimeOptions& options) {
  runtime::LongDelays delays{{}, options.retry.long_delay, options.retry.on_long_delay, options.ordering};
  if (history.scenario.keeps_delays) delays.wall = [&history] { return history.clock.wall(); };
  return delays;
}

std::unique_ptr<SimReader> make_reader(History& history, Broker& broker, int node) {
  if (history.scenario.queue) return std::make_unique<QueueSource>(history, broker, node);
  return std::make_unique<LogSource>(history, broker, node);
}

}  // namespace

Node::Parts::Parts(Node& node)
    : source(make_reader(node.history_, node.broker_, node.number_)),
      ledger(node.history_, node.store_, node.number_),
      handler(node.history_, *source),
      external(node.history_, node.outside_),
      executor(node.history_, ledger, node.make_run(*this), node),
      pipeline({*source, ledger, node.traits_, executor, node.history_.clock, node.options_,
                static_cast<unsigned>(node.history_.scenario.workers), /*seed=*/7,
                [](std::optional<Timestamp>) {}, node.history_.scenario.external}) {
  ledger.on_giving_up = [this, &history = node.history_] {
    if (pipeline.core().breaker().state() != core::Breaker::State::closed)
      history.violate("B1", "a message is given up while the circuit breaker is not closed");
  };
}

SimExecutor::MakeRun Node::make_run(Parts& parts) const {
  if (history_.scenario.external)
    return [this, &parts](Session& session, std::vector<runtime::WorkerEvent>& out) {
      return std::make_unique<runtime::ExternalRun>(session, parts.external, policy_, out);
    };
  return [this, &parts](Session& session, std::vector<runtime::WorkerEvent>& out) {
    return std::make_unique<runtime::HandlerRun>(session, parts.handler, policy_, out);
  };
}

Node::Node(History& history, Broker& broker, SimStore& store, Outside& outside, const RuntimeOptions& options,
           StoreTraits traits, int number)
    : history_(history),
      broker_(broker),
      store_(store),
      outside_(outside),
      options_(options),
      traits_(std::move(traits)),
      policy_{options.retry.attempts, options.on_conflict, options.on_undecidable, "", options.consumer,
              options.claims, options.on_unresolved, nullptr, nullptr, long_delays(history, options)},
      number_(number) {}

void Node::start() {
  history_.trace("node %d    starts", number_);
  parts_.emplace(*this);
  stale_seen_ = 0;
  seen_ = {};
  paused = all_paused = false;
  parts_->pipeline.start();
}

void Node::turn() {
  try {
    parts_->pipeline.turn(0ms);
    check_books();
    if (parts_->pipeline.ended()) give_up();
  } catch (const Crash&) {
    crash();
  } catch (const StoreError& e) {
    history_.trace("node %d    ends: %s", number_, e.what());
    destroy();
  }
}

// The pipeline said that it cannot go on. Only a store that is gone is a reason here.
void Node::give_up() {
  const Exit exit = *parts_->pipeline.ended();
  history_.trace("node %d    ends: %s", number_, exit.detail.c_str());
  if (exit.reason != ExitReason::store_failed) history_.violate("I10", "a node ended without a reason to");
  leave();
}

void Node::leave() {
  history_.trace("node %d    leaves", number_);
  try {
    const Exit exit = parts_->pipeline.leave(ExitReason::stopped);
    check_books();
    if (exit.reason == ExitReason::refused || exit.reason == ExitReason::source_failed)
      history_.violate("I10", "a clean leave ended badly");
  } catch (const Crash&) {
    return crash();
  } catch (const StoreError&) {
  }
  destroy();
}

void Node::check_books() {
  const Counters c = parts_->pipeline.counters();
  if (c.received + c.returned != c.done + c.duplicates + c.parked + c.delayed + c.in_flight + c.abandoned)
    history_.violate("I9", "the books do not balance");
  if (c.in_flight > options_.budget.messages) history_.violate("I8", "more in flight than the budget");
  if (c.in_flight == options_.budget.messages) history_.saw(Saw::budget_full);
  if (c.stale_completions > stale_seen_) history_.saw(Saw::stale_completion);
  stale_seen_ = c.stale_completions;
  note_breaker(c);
  history_.mix(c.received << 32 | c.done << 16 | c.in_flight);
}

void Node::note_breaker(const Counters& c) {
  if (c.breaker_opened > seen_.breaker_opened) history_.saw(Saw::breaker_opened);
  if (c.probes > seen_.probes) history_.saw(Saw::probe_sent);
  if (c.breaker_closed > seen_.breaker_closed) history_.saw(Saw::breaker_closed);
  if (c.parkings_withheld > seen_.parkings_withheld) history_.saw(Saw::parking_withheld);
  seen_ = c;
  // What was earned has been counted before it was spent, so this holds at any moment.
  const CircuitBreaker& breaker = options_.circuit_breaker;
  const auto earned = static_cast<std::uint64_t>(breaker.parking_allowance) +
                      ledger().successes() / static_cast<std::uint64_t>(breaker.successes_per_parking);
  if (breaker.enabled && ledger().given_up() > earned) history_.violate("B2", "more given up than the ration allows");
}

void Node::crash() {
  note_crash();
  for (int i = 0; i < history_.scenario.partitions; ++i)
    for (Sent& sent : broker_.partition(i).messages)
      if (source().holds(i) && sent.offset < source().position(i)) sent.seen_before_crash = true;
  destroy();
}

void Node::destroy() {
  for (int i = 0; i < history_.scenario.partitions; ++i)
    if (broker_.partition(i).owner == number_) broker_.take(i);
  parts_.reset();
  paused = all_paused = false;
}

void Node::note_crash() {
  const bool in_flight = parts_->pipeline.core().counters().in_flight > 0;
  history_.saw(in_flight ? Saw::crash_received : Saw::crash_idle);
  if (!store_.durable.claims.empty()) history_.saw(Saw::crash_claimed);
  if (!store_.durable.returning.empty()) history_.saw(Saw::crash_returning);
  if (executor().anything_looked_up()) history_.saw(Saw::crash_looked_up);
  if (ledger().any_scope()) history_.saw(Saw::crash_in_scope);
  if (ledger().committing())
    history_.saw(ledger().applied() ? Saw::crash_after_apply : Saw::crash_before_apply);
  else if (!ledger().group_empty())
    history_.saw(Saw::crash_joined);
  if (executor().anything_to_collect()) history_.saw(Saw::crash_settled);
  if (source().requests_pending()) history_.saw(Saw::crash_commit_sent);
}

// The I/O thread waits for its workers (a revoke, a leave): they go on, time goes on, and the node may die.
void Node::wait(std::chrono::milliseconds longest) {
  if (ledger().any_scope()) history_.saw(Saw::revoke_while_running);
  for (;;) {
    if (executor().anything_to_collect()) return;
    history_.crash_here(Saw::crash_in_drain);
    if (history_.fault(Fault::slow_handler, 12)) break;
    std::size_t able[8], count = 0;
    for (std::size_t worker = 0; worker < executor().workers(); ++worker)
      if (executor().can_step(worker)) able[count++] = worker;
    const bool store = ledger().has_work();
    if (count == 0 && !store) break;
    const std::size_t next = history_.choices.detail(static_cast<std::uint32_t>(count + store));
    if (next < count)
      executor().step(able[next]);
    else
      ledger().step();
  }
  history_.saw(Saw::drain_deadline);
  history_.clock.advance(longest);
}

}  // namespace idem::sim
