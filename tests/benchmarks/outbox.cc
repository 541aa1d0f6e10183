// What the outbox costs: the relay against its publisher alone, and rows against a handler that sends nothing.
#include <idem/idem.h>
#include <idem/memory_source.h>

#include <atomic>
#include <cstdio>
#include <stdexcept>

#include "benchmarks/bench.h"
#include "benchmarks/rows.h"
#include "support/rabbit_client.h"
#include "support/unique_name.h"

namespace idem::bench {
namespace {

using namespace std::chrono_literals;

/// A durable queue for one round.
class Queue {
 public:
  Queue() : name_(test::unique_name("bench")), client_(rabbit().uri()) { client_.declare_queue(name_); }
  ~Queue() { client_.delete_queue(name_); }
  const std::string& name() const { return name_; }
  void expect(std::size_t count) {
    for (int tries = 0; client_.ready(name_) != static_cast<int>(count); ++tries)
      if (tries == 100) throw std::runtime_error(std::to_string(client_.ready(name_)) + " messages arrived");
  }

 private:
  const std::string name_;
  test::RabbitClient client_;
};

Cost publisher_alone(std::size_t count) {
  Queue queue;
  RabbitPublisher publisher({.uri = rabbit().uri()});
  const Meter meter;
  for (std::size_t i = 0; i < count; ++i)
    publisher.publish_async({.routing_key = queue.name(), .payload = payload(i)}, {});
  if (!publisher.close(120s).empty()) throw std::runtime_error("not every message was stored");
  const Cost cost = meter.stop(count);
  queue.expect(count);
  return cost;
}

/// The rows are committed beforehand; from there until each is confirmed and deleted.
Cost relay_rows(std::size_t count) {
  Queue queue;
  test::Scratch scratch("bench");
  SqliteStore store({.path = (scratch / "bench.db").string()});
  store.outbox()->open("to", [] {});
  for (std::size_t i = 0; i < count;)
    store.transact([&](Transaction& tx) {
      for (const std::size_t end = std::min(count, i + 1'000); i < end; ++i) tx.publish("to", {.payload = payload(i)});
    });
  store.outbox()->close("to");
  RabbitPublisher publisher({.uri = rabbit().uri()});
  const Meter meter;
  Relay relay(store);
  relay.add("to", rabbit_queue(publisher, queue.name()));
  if (!relay.flush(120s)) throw std::runtime_error("not every row was sent");
  const Cost cost = meter.stop(count);
  queue.expect(count);
  return cost;
}

class Inserts final : public Handler {
 public:
  explicit Inserts(bool sends) : sends_(sends) {}

 private:
  Outcome handle(const Message& message, Transaction& tx) override {
    tx.exec(insert_effect, Blob{message.text()});
    if (sends_) tx.publish("to", {.payload = std::string(message.text())});
    return done();
  }
  const bool sends_;
};

/// From a log in memory into SQLite; what is sent stays in the outbox.
Cost commit(std::size_t count, bool sends) {
  constexpr int partitions = 4;
  MemoryLog log("bench", partitions);
  for (std::size_t i = 0; i < count; ++i)
    log.append(static_cast<std::int32_t>(i % partitions),
               {.payload = payload(i), .headers = {{"message-id", hex(uuid(i))}}});
  test::Scratch scratch("bench");
  // Full groups in both, or the slower one would commit smaller ones and be charged for more of the index's pages.
  SqliteStore store({.path = (scratch / "bench.db").string(), .group_messages = 1'000, .group_age = 1s});
  store.transact([](Transaction& tx) { tx.exec(make_effects); });
  store.outbox()->open("to", [] {});
  MemorySource source(log);
  Inserts handler(sends);
  Runtime runtime({.consumer = "bench", .identity = id_from_header("message-id"), .report_interval = 0ms});
  runtime.add(source, store, handler);
  const Meter meter;
  if (const Exit exit = runtime.run_until_caught_up(); !exit.ok()) throw std::runtime_error(exit.detail);
  const Cost cost = meter.stop(count);
  const auto waiting = store.outbox()->waiting();
  if (sends && (!waiting.contains("to") || waiting.at("to") != count)) throw std::runtime_error("rows are missing");
  return cost;
}

}  // namespace

void relay(const Scale& scale) {
  const std::size_t count = scale.messages(100'000);
  const Rounds rounds = alternate(
      scale.rounds, "relay", [&] { return relay_rows(count); }, [&] { return publisher_alone(count); });
  std::printf("%zu rows of 100 bytes to RabbitMQ: publisher alone %s, relay %s (medians)\n", count,
              rate(Spread(rounds.baseline).median).c_str(), rate(Spread(rounds.idem).median).c_str());
  conclude("outbox, relay", Spread(rounds.ratio).to_string(2), "≥ 0.8");
}

void outbox(const Scale& scale) {
  const std::size_t count = scale.messages(1'000'000);
  const Rounds rounds = alternate(
      scale.rounds, "rows", [&] { return commit(count, true); }, [&] { return commit(count, false); });
  std::printf("%zu messages into SQLite: without %s, with one row of the outbox each %s (medians)\n", count,
              rate(Spread(rounds.baseline).median).c_str(), rate(Spread(rounds.idem).median).c_str());
  conclude("outbox, rows", Spread(rounds.ratio).to_string(2), "≥ 0.85");
}

}  // namespace idem::bench
