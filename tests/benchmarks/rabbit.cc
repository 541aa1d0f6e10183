// RabbitMQ → idem against a consumer loop on bare rabbitmq-c, and RabbitPublisher against a publishing loop.
//
// The server shares the processors with whoever is measured, so it is the limit as often as the client is: read the CPU
// time beside the rate.
#include <idem/idem.h>
#include <idem/memory_store.h>
#include <idem/rabbitmq_publisher.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <stdexcept>

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

/// Durable queues of one type, as many as there are names, all bound to one key: a message sent once is in each.
class Queues {
 public:
  Queues(const std::string& type, std::size_t count) : key_(test::unique_name("bench")), client_(rabbit().uri()) {
    for (std::size_t i = 0; i < count; ++i) {
      names_.push_back(key_ + "-" + std::to_string(i));
      client_.declare_queue(names_.back(), {{"x-queue-type", type}});
      client_.bind(names_.back(), exchange, key_);
    }
  }
  ~Queues() {
    for (const std::string& name : names_) client_.delete_queue(name);
  }

  void fill(std::size_t count) { publish_raw(rabbit().uri(), exchange, key_, count); }
  const std::string& operator[](std::size_t i) const { return names_[i]; }
  void expect_empty(const std::string& name) {
    if (const int left = client_.ready(name); left != 0)
      throw std::runtime_error(std::to_string(left) + " messages were left in " + name);
  }

 private:
  static constexpr const char* exchange = "amq.direct";
  const std::string key_;
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
Cost drain(const std::string& queue, std::size_t count, SomeStore& store) {
  RabbitSource source({.uri = rabbit().uri(), .queue = queue});
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

Cost drain_into_memory(const std::string& queue, std::size_t count) {
  MemoryStore store;
  return drain(queue, count, store);
}

Cost drain_into_sqlite(const std::string& queue, std::size_t count) {
  test::Scratch scratch("bench");
  SqliteStore store({.path = (scratch / "bench.db").string()});
  return drain(queue, count, store);
}

Cost drain_raw(const std::string& queue, std::size_t count) {
  const Meter meter;
  consume_raw(rabbit().uri(), queue, count);
  return meter.stop(count);
}

void compare_consumers(const std::string& type, std::size_t count, int rounds) {
  using Drain = Cost (*)(const std::string&, std::size_t);
  constexpr Drain drains[] = {drain_raw, drain_into_memory, drain_into_sqlite};
  Queues queues(type, std::size(drains));
  Rounds memory, sqlite;
  for (int round = 0; round < rounds; ++round) {
    queues.fill(count);
    Cost costs[std::size(drains)];
    for (std::size_t turn = 0; turn < std::size(drains); ++turn) {  // who is first takes turns
      const std::size_t who = (turn + static_cast<std::size_t>(round)) % std::size(drains);
      costs[who] = drains[who](queues[who], count);
      queues.expect_empty(queues[who]);
    }
    memory.add(costs[1], costs[0], type + ", memory store");
    sqlite.add(costs[2], costs[0], type + ", SQLite");
  }
  std::printf("%s queue: bare loop %s, idem with its memory store %s, with SQLite %s (medians), %zu messages\n",
              type.c_str(), rate(Spread(memory.baseline).median).c_str(), rate(Spread(memory.idem).median).c_str(),
              rate(Spread(sqlite.idem).median).c_str(), count);
  conclude("rabbitmq, " + type + " queue, memory store", Spread(memory.ratio).to_string(2), "≥ 0.95");
  conclude("rabbitmq, " + type + " queue, SQLite", Spread(sqlite.ratio).to_string(2), "≥ 0.9");
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
      Queues queue(type, 1);
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
  for (const char* type : queue_types) compare_consumers(type, scale.messages(200'000), scale.rounds);
}

void confirms(const Scale& scale) {
  for (const char* type : queue_types) compare_publishers(type, scale.messages(200'000), scale.rounds);
}

}  // namespace idem::bench
