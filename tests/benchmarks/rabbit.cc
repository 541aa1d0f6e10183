// RabbitMQ → idem against a consumer loop on bare rabbitmq-c, and RabbitPublisher against a publishing loop.
//
// Consumers are compared with the server on a processor of its own, as on a machine of its own. Where both share all
// processors, every microsecond of the client's slows the server down, and the ratio says how busy the server was.
#include <idem/idem.h>
#include <idem/memory_store.h>
#include <idem/rabbitmq_publisher.h>
#include <sched.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include "benchmarks/bench.h"
#include "benchmarks/raw_rabbit.h"
#include "benchmarks/rows.h"
#include "support/rabbit_client.h"
#include "support/unique_name.h"

namespace idem::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* queue_types[] = {"classic", "quorum"};

/// While it lives, what this thread starts runs on the first of the processors, or on the others. Where there is only
/// one it does nothing.
class On {
 public:
  enum Which { the_first, the_others };
  explicit On(Which which) {
    sched_getaffinity(0, sizeof before_, &before_);
    if (CPU_COUNT(&before_) < 2) return;
    std::size_t first = 0;
    while (!CPU_ISSET(first, &before_)) ++first;
    cpu_set_t alone, others = before_;
    CPU_ZERO(&alone);
    CPU_SET(first, &alone);
    CPU_CLR(first, &others);
    const cpu_set_t& chosen = which == the_first ? alone : others;
    sched_setaffinity(0, sizeof chosen, &chosen);
  }
  ~On() { sched_setaffinity(0, sizeof before_, &before_); }
  On(const On&) = delete;
  On& operator=(const On&) = delete;

 private:
  cpu_set_t before_;
};

std::unique_ptr<test::RabbitBroker> server_on_the_first_processor() {
  const On first(On::the_first);
  return std::make_unique<test::RabbitBroker>();
}

/// Durable queues of one type, as many as there are names, all bound to one key: a message sent once is in each.
class Queues {
 public:
  Queues(const std::string& uri, const std::string& type, std::size_t count)
      : uri_(uri), key_(test::unique_name("bench")), client_(uri) {
    for (std::size_t i = 0; i < count; ++i) {
      names_.push_back(key_ + "-" + std::to_string(i));
      client_.declare_queue(names_.back(), {{"x-queue-type", type}});
      client_.bind(names_.back(), exchange, key_);
    }
  }
  ~Queues() {
    for (const std::string& name : names_) client_.delete_queue(name);
  }

  void fill(std::size_t count) {
    publish_raw(uri_, exchange, key_, count);
    std::this_thread::sleep_for(3s);  // what is confirmed the server goes on moving about for a while
  }
  const std::string& operator[](std::size_t i) const { return names_[i]; }
  void expect_empty(const std::string& name) {
    if (const int left = client_.ready(name); left != 0)
      throw std::runtime_error(std::to_string(left) + " messages were left in " + name);
  }

 private:
  static constexpr const char* exchange = "amq.direct";
  const std::string uri_, key_;
  test::RabbitClient client_;
  std::vector<std::string> names_;
};

/// Does as little as the bare loop, so that the difference is what idem costs: with a store on disk, remembering each
/// id. Ends the run with the last message: the end of a queue would be found a moment later only.
class CountingHandler final : public Handler {
 public:
  explicit CountingHandler(std::size_t count) : count_(count) {}
  void ends(Runtime& runtime) { runtime_ = &runtime; }

 private:
  Outcome handle(const Message&, Transaction&) override {
    if (++seen_ == count_) runtime_->stop();
    return done();
  }

  const std::size_t count_;
  Runtime* runtime_ = nullptr;
  std::atomic<std::size_t> seen_{0};
};

/// From connecting until the last acknowledgement is with the server.
template <class SomeStore>
Cost drain(const std::string& uri, const std::string& queue, std::size_t count, SomeStore& store) {
  RabbitSource source({.uri = uri, .queue = queue});
  CountingHandler handler(count);
  Runtime runtime({.consumer = "bench",
                   .identity = id_from_header("message_id"),
                   .budget = {.messages = prefetch + 1},  // what makes the same prefetch
                   .report_interval = 0ms});
  handler.ends(runtime);
  runtime.add(source, store, handler);
  const Meter meter;
  if (const Exit exit = runtime.run(); !exit.ok()) throw std::runtime_error(exit.detail);
  const Cost cost = meter.stop(count);
  if (runtime.counters().done != count)
    throw std::runtime_error("done " + std::to_string(runtime.counters().done) + " of " + std::to_string(count));
  return cost;
}

Cost drain_into_memory(const std::string& uri, const std::string& queue, std::size_t count) {
  MemoryStore store;
  return drain(uri, queue, count, store);
}

Cost drain_into_sqlite(const std::string& uri, const std::string& queue, std::size_t count) {
  test::Scratch scratch("bench");
  SqliteStore store({.path = (scratch / "bench.db").string()});
  return drain(uri, queue, count, store);
}

Cost drain_raw(const std::string& uri, const std::string& queue, std::size_t count) {
  const Meter meter;
  consume_raw(uri, queue, count);
  return meter.stop(count);
}

/// The bare loop with a bare SQLite that remembers each id: half a prefetch a commit, so that the other half is on its way.
Cost drain_raw_into_sqlite(const std::string& uri, const std::string& queue, std::size_t count) {
  test::Scratch scratch("bench");
  BareSqlite sqlite(scratch / "bench.db");
  const Meter meter;
  sqlite.begin();
  consume_raw(uri, queue, count,
              {.acks_every = prefetch / 2,
               .message = [&](std::string_view id) { sqlite.remember(from_hex(id)); },
               .before_ack =
                   [&] {
                     sqlite.commit();
                     sqlite.begin();
                   }});
  return meter.stop(count);
}

void compare_consumers(const std::string& uri, const std::string& type, std::size_t count, int rounds) {
  using Drain = Cost (*)(const std::string&, const std::string&, std::size_t);
  constexpr Drain drains[] = {drain_raw, drain_into_memory, drain_into_sqlite, drain_raw_into_sqlite};
  Queues queues(uri, type, std::size(drains));
  Rounds memory, sqlite, ceiling;
  for (int round = 0; round < rounds; ++round) {
    queues.fill(count);
    Cost costs[std::size(drains)];
    for (std::size_t turn = 0; turn < std::size(drains); ++turn) {  // who is first takes turns
      const std::size_t who = (turn + static_cast<std::size_t>(round)) % std::size(drains);
      costs[who] = drains[who](uri, queues[who], count);
      queues.expect_empty(queues[who]);
    }
    memory.add(costs[1], costs[0], type + ", memory store");
    sqlite.add(costs[2], costs[0], type + ", SQLite");
    ceiling.add(costs[2], costs[3], type + ", SQLite both");
  }
  std::printf("%s queue: bare loop %s, idem with its memory store %s, with SQLite %s; bare loop and bare SQLite %s "
              "(medians), %zu messages\n",
              type.c_str(), rate(Spread(memory.baseline).median).c_str(), rate(Spread(memory.idem).median).c_str(),
              rate(Spread(sqlite.idem).median).c_str(), rate(Spread(ceiling.baseline).median).c_str(), count);
  conclude("rabbitmq, " + type + " queue, memory store", Spread(memory.ratio).to_string(2), "≥ 0.95");
  conclude("rabbitmq, " + type + " queue, SQLite", Spread(sqlite.ratio).to_string(2), "≥ 0.9");
  conclude("rabbitmq, " + type + " queue, SQLite, of a bare loop with bare SQLite", Spread(ceiling.ratio).to_string(2),
           "none");
}

Cost publish(const std::string& queue, std::size_t count) {
  const Meter meter;
  RabbitPublisher publisher({.uri = rabbit().uri(), .window = window});
  std::atomic<std::size_t> stored{0};
  for (std::size_t i = 0; i < count; ++i)
    publisher.publish_async({.routing_key = queue, .payload = payload(i), .id = message_id(i)},
                            [&](const PublishResult& result) { stored += result.stored(); });
  const Unresolved left = publisher.close(60s);
  const Cost cost = meter.stop(count);
  if (!left.empty() || stored != count) throw std::runtime_error("not every message was stored");
  return cost;
}

Cost publish_by_hand(const std::string& queue, std::size_t count) {
  const Meter meter;
  publish_raw(rabbit().uri(), "", queue, count);
  return meter.stop(count);
}

void compare_publishers(const std::string& type, std::size_t count, int rounds) {
  const auto into_a_queue = [&](Cost (*measure)(const std::string&, std::size_t)) {
    return [&type, count, measure] {
      Queues queue(rabbit().uri(), type, 1);
      return measure(queue[0], count);
    };
  };
  const Rounds figures = alternate(rounds, type, into_a_queue(publish), into_a_queue(publish_by_hand));
  std::printf("%s queue: bare loop %s, RabbitPublisher %s (medians), %zu messages of 100 bytes\n", type.c_str(),
              rate(Spread(figures.baseline).median).c_str(), rate(Spread(figures.idem).median).c_str(), count);
  conclude("confirms, " + type + " queue", Spread(figures.ratio).to_string(2), "≥ 0.95");
}

}  // namespace

void rabbitmq(const Scale& scale) {
  const auto server = server_on_the_first_processor();
  const On others(On::the_others);
  for (const char* type : queue_types) compare_consumers(server->uri(), type, scale.messages(200'000), scale.rounds);
}

void confirms(const Scale& scale) {
  for (const char* type : queue_types) compare_publishers(type, scale.messages(200'000), scale.rounds);
}

}  // namespace idem::bench
