// The service that is killed: Kafka or RabbitMQ → idem → SQLite. Its effect is a row in a table without any unique
// constraint, so a second effect of a message would stand there for everybody to see.
//
//   idem_kill_consumer bootstrap=…|uri=… topic=… group=… store=FILE [mode=fixed|group]
//                      [ordering=by_key|by_partition|unordered] [until=signal|caught_up]
//                      [group_messages=N] [slow_us=N] [retention_ms=N]
//                      [relay_bootstrap=…|relay_uri=… relay_to=…]
//                      [call=HOST:PORT [life=N] [resolve=0|1] [claims=durable|in_memory]]
//
// With relay_to each effect also sends a message that names it, by the outbox. With call the effect is elsewhere: the
// handler calls a service instead (caller.h).
//
// Exit code 0: stopped or caught up, 1: the run ended with an error, 3: its books do not balance, 4: the outbox could
// not be emptied.

#include <idem/idem.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "kills/act.h"
#include "kills/arguments.h"
#ifdef IDEM_KILL_EXTERNAL
#include "kills/caller.h"
#endif
#include "kills/checker.h"
#include "kills/place_of.h"

namespace {

using namespace std::chrono_literals;
using idem::kills::Act;
using idem::kills::Arguments;
using idem::kills::place_of;

class KeepEffects final : public idem::Handler {
 public:
  KeepEffects(std::chrono::microseconds slow, bool tells) : slow_(slow), tells_(tells) {}

  idem::Outcome handle(const idem::Message& message, idem::Transaction& tx) override {
    const auto payload = idem::kills::Payload::parse(message.text());
    if (!payload) return idem::dead_letter("malformed");
    if (slow_ > 0us) std::this_thread::sleep_for(slow_);
    const bool first = message.attempt == 1;
    if (first && payload->act == Act::retry_first) return idem::retry("asked to, with nothing written");
    if (first && payload->act == Act::throw_int) throw 7;

    tx.exec("INSERT INTO effects (id, partition, position, key, amount) VALUES ($1, $2, $3, $4, $5)", message.id,
            message.partition, place_of(message), message.key, payload->amount);
    if (tells_)
      tx.publish("told", {.key = std::string(message.key.value_or("")),
                          .payload = idem::kills::name_of({std::string(message.id), message.partition, place_of(message)})});
    switch (payload->act) {
      case Act::write_retry:
        return first ? idem::retry("asked to, with the effect written") : idem::done();
      case Act::write_throw:
        if (first) throw std::runtime_error("asked to, with the effect written");
        return idem::done();
      case Act::write_refuse:
        return idem::dead_letter("asked to");
      case Act::never:
        return idem::retry_after(1ms, "asked to, every time");
      default:
        return idem::done();
    }
  }

 private:
  const std::chrono::microseconds slow_;
  const bool tells_;
};

/// The outbox of this life, if there is one. Members in this order: the relay ends before its publisher.
struct Telling {
  Telling(const Arguments& arguments, idem::SqliteStore& store) {
    const std::string to = arguments.text("relay_to", "");
    if (to.empty()) return;
    relay.emplace(store, idem::RelayOptions{.stop_timeout = 500ms});
    if (const std::string bootstrap = arguments.text("relay_bootstrap", ""); !bootstrap.empty()) {
      kafka = std::make_unique<idem::KafkaPublisher>(idem::KafkaPublisherOptions{
          .properties = {{"bootstrap.servers", bootstrap}}, .close_timeout = 500ms});
      relay->add("told", idem::kafka_topic(*kafka, to));
      return;
    }
#ifdef IDEM_KILL_RABBITMQ
    rabbit = std::make_unique<idem::RabbitPublisher>(idem::RabbitPublisherOptions{
        .uri = arguments.text("relay_uri"), .close_timeout = 500ms, .connect_at_start = false});
    relay->add("told", idem::rabbit_queue(*rabbit, to));
#endif
  }

  std::unique_ptr<idem::KafkaPublisher> kafka;
#ifdef IDEM_KILL_RABBITMQ
  std::unique_ptr<idem::RabbitPublisher> rabbit;
#endif
  std::optional<idem::Relay> relay;
};

idem::Ordering ordering(const std::string& name) {
  if (name == "by_key") return idem::Ordering::by_key;
  if (name == "by_partition") return idem::Ordering::by_partition;
  if (name == "unordered") return idem::Ordering::unordered;
  throw std::invalid_argument("unknown ordering " + name);
}

idem::KafkaOptions kafka_options(const Arguments& arguments) {
  idem::KafkaOptions options;
  options.topics = {arguments.text("topic")};
  options.properties = {{"bootstrap.servers", arguments.text("bootstrap")},
                        {"group.id", arguments.text("group")},
                        {"fetch.wait.max.ms", "10"}};
  if (arguments.text("mode", "fixed") == "group") {
    options.properties["group.instance.id"] = "idem-kill";
    options.properties["session.timeout.ms"] = "10000";
    options.properties["heartbeat.interval.ms"] = "500";
  } else {
    options.mode = idem::KafkaOptions::Mode::fixed;
  }
  return options;
}

std::unique_ptr<idem::Source> make_source(const Arguments& arguments) {
#ifdef IDEM_KILL_RABBITMQ
  if (const std::string uri = arguments.text("uri", ""); !uri.empty())
    return std::make_unique<idem::RabbitSource>(
        idem::RabbitOptions{.uri = uri, .queue = arguments.text("topic"), .key_header = "key"});
#endif
  return std::make_unique<idem::KafkaSource>(kafka_options(arguments));
}

bool is_external(const Arguments& arguments) { return !arguments.text("call", "").empty(); }

idem::RuntimeOptions runtime_options(const Arguments& arguments) {
  idem::RuntimeOptions options;
  options.consumer = "kill";
  options.identity = idem::id_from_header("message-id");
  options.ordering = ordering(arguments.text("ordering", "by_key"));
  options.retention = std::chrono::milliseconds(arguments.number("retention_ms", 7L * 24 * 3600 * 1000));
  options.retry.attempts = 3;
  options.retry.first_backoff = 2ms;
  options.circuit_breaker.enabled = false;  // the last life may find nothing but what has to be parked: like an outage
  options.budget.messages = 500;
  options.workers = is_external(arguments) ? 4 : 2;
  if (arguments.text("claims", "durable") == "in_memory") options.claims = idem::Claims::in_memory;
  options.commit_interval = 5ms;  // many offset commits in a short life
  options.report_interval = 0ms;
  return options;
}

bool balanced(const idem::Counters& c) {
  return c.received + c.returned == c.done + c.duplicates + c.parked + c.delayed + c.in_flight + c.abandoned;
}

// An injected error may hit this transaction, too: worth trying again, as the store says.
void make_table(idem::SqliteStore& store) {
  for (int attempt = 1;; ++attempt) {
    try {
      return store.transact([](idem::Transaction& tx) {
        tx.exec(
            "CREATE TABLE IF NOT EXISTS effects (id TEXT, partition INTEGER, position INTEGER, key TEXT, "
            "amount INTEGER)");
      });
    } catch (const idem::StoreError& error) {
      if (!error.transient() || attempt == 3) throw;
    }
  }
}

int run(const Arguments& arguments) {
  idem::SqliteStore store({.path = arguments.text("store"),
                           .wait_for_owner = 5s,
                           .group_messages = static_cast<std::size_t>(arguments.number("group_messages", 100)),
                           .ids_in_memory = 1'000});
  if (!is_external(arguments)) make_table(store);
  const auto source = make_source(arguments);
  Telling telling(arguments, store);
  KeepEffects handler(std::chrono::microseconds(arguments.number("slow_us", 0)), telling.relay.has_value());
  idem::Runtime runtime(runtime_options(arguments));
  if (!is_external(arguments)) runtime.add(*source, store, handler);
#ifdef IDEM_KILL_EXTERNAL
  else runtime.add(*source, store, idem::kills::make_callers(arguments));
#endif

  const idem::Exit exit =
      arguments.text("until", "signal") == "signal" ? runtime.run_until_signal() : runtime.run_until_caught_up();
  const idem::Counters books = runtime.counters();
  std::printf("%s %s: received %lu done %lu duplicates %lu parked %lu in flight %lu abandoned %lu\n",
              std::string(to_string(exit.reason)).c_str(), exit.detail.c_str(), books.received, books.done,
              books.duplicates, books.parked, books.in_flight, books.abandoned);
  if (exit.reason == idem::ExitReason::caught_up && telling.relay && !telling.relay->flush(60s)) return 4;
  return exit.ok() && !balanced(books) ? 3 : exit;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run(Arguments(count, words));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem_kill_consumer: %s\n", error.what());
    return 1;
  }
}
