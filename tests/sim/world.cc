#include "sim/world.h"

#include <algorithm>

namespace idem::sim {

using namespace std::chrono_literals;

namespace {

RuntimeOptions options_of(const Scenario& scenario) {
  RuntimeOptions options;
  options.consumer = "sim";
  options.identity = scenario.by_position ? id_from_position() : id_from_header("id");
  options.ordering = scenario.ordering;
  options.on_conflict = scenario.on_conflict;
  options.on_unresolved = scenario.on_unresolved;
  options.retry = {scenario.attempts, 10ms, 40ms, 0.2, /*long_delay=*/10ms, scenario.on_long_delay};
  options.circuit_breaker.enabled = scenario.breaker;
  options.circuit_breaker.failure_share = 0.6;
  options.circuit_breaker.minimum_failures = 2;
  options.circuit_breaker.first_pause = 10ms;
  options.circuit_breaker.max_pause = 40ms;
  options.circuit_breaker.probes = scenario.probes;
  options.circuit_breaker.parking_allowance = scenario.parking_allowance;
  options.circuit_breaker.successes_per_parking = 2;
  options.circuit_breaker.parking_interval = 24h * 365;  // never: no history is that long
  if (scenario.rate_limit) options.rate_limit = {100, 1};
  options.drain_timeout = 200ms;
  options.budget.messages = scenario.budget;
  options.commit_interval = 5ms;
  return options;
}

}  // namespace

World::World(History& history)
    : history_(history),
      checker_(history),
      broker_(history, checker_),
      store_(history, checker_),
      outside_(history, broker_, store_),
      options_(options_of(history.scenario)) {
  checker_.watch(broker_, store_, outside_);
  for (int i = 0; i < history_.scenario.nodes; ++i)
    nodes_[static_cast<std::size_t>(i)].emplace(
        history_, broker_, store_, outside_, options_,
        StoreTraits{"s", "sim", /*shared=*/history_.scenario.nodes > 1, /*durable=*/true, /*claims=*/true,
                    /*delays=*/history_.scenario.keeps_delays},
        i);
}

void World::run() {
  for (int i = 0; i < history_.scenario.nodes; ++i) node(i).start();
  const auto backlog = history_.choices.systematic() ? static_cast<std::uint32_t>(history_.scenario.messages)
                                                     : history_.choices.pick(4);
  for (std::uint32_t i = 0; i < backlog; ++i) broker_.append();
  for (int step = 0; step < history_.scenario.steps && !history_.violated(); ++step) {
    collect_events();
    if (events_.empty()) break;
    execute(choose());
  }
  if (!history_.violated()) heal();
  for (const Effect& effect : store_.durable.effects)
    history_.mix(static_cast<std::uint64_t>(effect.partition) << 32 |
                 static_cast<std::uint64_t>(effect.offset));
}

// --- What may happen next
// -----------------------------------------------------------------------------------------

void World::collect_events() {
  const Scenario& scenario = history_.scenario;
  events_.clear();
  if (broker_.sent() < scenario.messages) events_.push_back({Kind::append, 0, 0, 3});
  events_.push_back({Kind::time, 0, 0, 3});
  for (int i = 0; i < scenario.nodes; ++i) collect_events_of(i);
  for (int i = 0; i < scenario.partitions; ++i) collect_events_of_partition(i);
  if (scenario.has(Fault::redrive) && scenario.keeps_delays && !store_.redrivable().empty())
    events_.push_back({Kind::redrive, 0, 0, 2});
  if (scenario.has(Fault::wall_jump)) events_.push_back({Kind::wall, 0, 0, 1, true});
  if (history_.outage)
    events_.push_back({Kind::recovery, 0, 0, 1});
  else if (scenario.has(Fault::outage))
    events_.push_back({Kind::outage, 0, 0, 1, true});
  if (scenario.has(Fault::restore)) {
    const auto& progress = store_.durable.progress;
    if (!store_.has_backup() &&
        std::all_of(progress.begin(), progress.end(), [](const Progress& p) { return p.started(); }))
      events_.push_back({Kind::backup, 0, 0, 1});
    if (store_.has_backup() && store_.ledgers.empty()) events_.push_back({Kind::restore, 0, 0, 8, true});
  }
}

void World::collect_events_of(int number) {
  const Scenario& scenario = history_.scenario;
  Node& n = node(number);
  const auto id = static_cast<std::uint8_t>(number);
  if (!n.up()) {
    events_.push_back({Kind::restart, id, 0, 4});
    return;
  }
  if (n.paused)
    events_.push_back({Kind::resume, id, 0, 3});
  else
    events_.push_back({Kind::turn, id, 0, 8});
  if (!n.all_paused) {
    for (std::size_t worker = 0; worker < n.executor().workers(); ++worker)
      if (n.executor().can_step(worker))
        events_.push_back({Kind::worker, id, static_cast<std::uint8_t>(worker), 6});
    if (n.ledger().has_work())
      events_.push_back({Kind::store, id, 0, static_cast<std::uint8_t>(n.ledger().committing() ? 6 : 2)});
  }
  if (n.source().requests_pending()) events_.push_back({Kind::broker, id, 0, 2});
  if (scenario.has(Fault::crash)) events_.push_back({Kind::crash, id, 0, 1, true});
  if (scenario.has(Fault::pause) && !n.paused) events_.push_back({Kind::pause, id, 0, 1, true});
  if (scenario.has(Fault::stop) && !n.paused) events_.push_back({Kind::leave, id, 0, 1, true});
}

void World::collect_events_of_partition(int number) {
  const Scenario& scenario = history_.scenario;
  const auto id = static_cast<std::uint8_t>(number);
  const int owner = broker_.partition(number).owner;
  if (owner == Sent::none) {
    for (int i = 0; i < scenario.nodes; ++i) {
      Node& n = node(i);
      if (n.up() && !n.paused && !n.source().holds(number) && !n.source().ordered(number))
        events_.push_back({Kind::assign, id, static_cast<std::uint8_t>(i), 6});
    }
    return;
  }
  Node& n = node(owner);
  if (scenario.has(Fault::revoke) && n.source().holds(number) && !n.source().ordered(number))
    events_.push_back({Kind::revoke, id, 0, 1, true});
  if (scenario.has(Fault::lose))
    events_.push_back({Kind::lose, id, 0, static_cast<std::uint8_t>(n.paused ? 3 : 1), true});
}

const World::Event& World::choose() {
  if (history_.choices.systematic()) return choose_systematically();
  std::uint32_t total = 0;
  for (const Event& event : events_) total += event.weight;
  std::uint32_t at = history_.choices.pick(total);
  for (const Event& event : events_) {
    if (at < event.weight) return event;
    at -= event.weight;
  }
  return events_.back();
}

// The usual order: whatever has waited longest. Anything else is a deviation or a fault, and few are allowed.
const World::Event& World::choose_systematically() {
  const auto place = [](const Event& e) {
    return static_cast<std::size_t>(e.kind) * 8 + static_cast<std::size_t>(e.node) * 4 + e.which;
  };
  const auto usual_first = [&](const Event& a, const Event& b) {
    if (a.is_fault != b.is_fault) return b.is_fault;
    return last_done_[place(a)] < last_done_[place(b)];
  };
  std::stable_sort(events_.begin(), events_.end(), usual_first);
  const auto faults = static_cast<std::size_t>(
      std::count_if(events_.begin(), events_.end(), [](const Event& e) { return e.is_fault; }));
  const std::size_t usual = events_.size() - faults;
  const std::size_t others = history_.choices.deviations_left() > 0 ? usual : std::min<std::size_t>(usual, 1);
  const std::size_t breaking = history_.choices.faults_left() > 0 ? faults : 0;
  std::size_t picked = history_.choices.pick(static_cast<std::uint32_t>(others + breaking));
  if (picked >= others) {
    picked += usual - others;
    history_.choices.use_fault();
  } else if (picked > 0) {
    history_.choices.use_deviation();
  }
  last_done_[place(events_[picked])] = ++turn_;
  return events_[picked];
}

// --- What happens
// -------------------------------------------------------------------------------------------------

void World::execute(const Event& event) {
  history_.mix(static_cast<std::uint64_t>(event.kind) << 16 | static_cast<std::uint64_t>(event.node) << 8 |
               event.which);
  const int number = event.node;
  switch (event.kind) {
    case Kind::append:
      return broker_.append();
    case Kind::turn:
      return node(number).turn();
    case Kind::worker:
      return node(number).executor().step(event.which);
    case Kind::store:
      return node(number).ledger().step();
    case Kind::broker:
      return node(number).source().broker_handles_next();
    case Kind::time: {
      static constexpr std::chrono::milliseconds leaps[] = {10ms, 1ms, 100ms, 1000ms, 2h};
      return history_.clock.advance(leaps[history_.choices.detail(std::size(leaps))]);
    }
    case Kind::restart:
      return node(number).start();
    case Kind::assign:
      return node(event.which).source().order_assign(number);
    case Kind::crash:
      history_.trace("node %d    crashes", number);
      node(number).crash();
      return checker_.check_store();
    case Kind::revoke:
      return node(broker_.partition(number).owner).source().order_revoke(number);
    case Kind::lose: {
      Node& owner = node(broker_.partition(number).owner);
      history_.trace("broker    takes partition %d away", number);
      if (owner.ledger().any_scope()) history_.saw(Saw::lost_while_running);
      broker_.take(number);
      return owner.source().order_lost(number);
    }
    case Kind::pause:
      history_.trace("node %d    stands still", number);
      node(number).paused = true;
      node(number).all_paused = history_.choices.detail(2) == 1;
      return;
    case Kind::resume:
      history_.trace("node %d    goes on", number);
      node(number).paused = node(number).all_paused = false;
      return;
    case Kind::leave:
      history_.saw(Saw::clean_leave);
      return node(number).leave();
    case Kind::wall: {
      static constexpr std::chrono::milliseconds jumps[] = {240h, -240h, 1h, -1h};
      return history_.clock.jump(jumps[history_.choices.detail(std::size(jumps))]);
    }
    case Kind::outage:
      history_.trace("what the handlers need is down");
      history_.saw(Saw::outage);
      history_.outage = true;
      return;
    case Kind::recovery:
      history_.trace("what the handlers need is up again");
      history_.outage = false;
      return;
    case Kind::redrive: {
      const auto parked = store_.redrivable();
      return store_.redrive(parked[history_.choices.detail(static_cast<std::uint32_t>(parked.size()))]);
    }
    case Kind::backup:
      return store_.back_up();
    case Kind::restore:
      checker_.check_store();
      history_.trace("store     is put back to its backup");
      history_.saw(Saw::restored);
      return store_.restore();
  }
}

// --- The end
// ------------------------------------------------------------------------------------------------------

void World::heal() {
  history_.trace("-- healing");
  history_.healing = true;
  history_.outage = false;
  const int nodes = history_.scenario.nodes;
  for (int round = 0; round < 100 && !history_.violated(); ++round) {
    for (int i = 0; i < nodes; ++i) {
      if (!node(i).up()) node(i).start();
      node(i).paused = node(i).all_paused = false;
    }
    for (int i = 0; i < history_.scenario.partitions; ++i) {
      SimReader& to = node(i % nodes).source();
      if (broker_.partition(i).owner == Sent::none && !to.holds(i) && !to.ordered(i)) to.order_assign(i);
    }
    for (int i = 0; i < nodes; ++i) {
      Node& n = node(i);
      while (n.source().requests_pending()) n.source().broker_handles_next();
      n.turn();
      if (!n.up()) continue;
      for (bool any = true; any;) {
        any = false;
        for (std::size_t worker = 0; worker < n.executor().workers(); ++worker)
          while (n.executor().can_step(worker)) n.executor().step(worker), any = true;
        while (n.ledger().has_work()) n.ledger().step(), any = true;
      }
    }
    if (drained()) break;
    history_.clock.advance(round < 10 ? 50ms : 5000ms);
    if (round >= 10) history_.clock.jump(240h);  // in which a clock that was put back has come to every time there is
  }
  if (history_.violated()) return;
  checker_.check_end();
  for (int i = 0; i < nodes; ++i)
    if (node(i).up()) node(i).leave();
}

bool World::drained() {
  if (!store_.durable.returning.empty()) return false;
  for (int i = 0; i < history_.scenario.partitions; ++i) {
    if (history_.scenario.queue) {
      const auto& messages = broker_.partition(i).messages;
      if (std::any_of(messages.begin(), messages.end(),
                      [](const Sent& sent) { return sent.state != Sent::State::acknowledged; }))
        return false;
      continue;
    }
    // A store put back to a backup is behind the broker until everything was read again.
    const Broker::Partition& partition = broker_.partition(i);
    const Progress& progress = store_.durable.progress[static_cast<std::size_t>(i)];
    if (partition.committed != partition.end || progress.watermark() < partition.end) return false;
  }
  for (int i = 0; i < history_.scenario.nodes; ++i)
    if (!node(i).up() || !node(i).pipeline().core().idle()) return false;
  return true;
}

}  // namespace idem::sim
