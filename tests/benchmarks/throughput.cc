// Kafka → idem → SQLite against SQLite alone, and against a consumer loop written by hand.
#include <idem/idem.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "benchmarks/bench.h"
#include "benchmarks/rows.h"
#include "support/kafka_client.h"

namespace idem::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t group_messages = 1'000;
constexpr int partitions = 4;

// A topic on the real broker that holds the messages 0 … count-1.
class Topic {
 public:
  explicit Topic(std::size_t count) : name_(test::unique_name("bench")), count_(count) {
    kafka().create_topic(name_, partitions);
    const auto start = Clock::now();
    test::KafkaClient(kafka().bootstrap(), {{"linger.ms", "20"}, {"batch.size", "1000000"}})
        .produce_each(name_, count, [](std::size_t i) {
          test::Record record;
          record.payload = payload(i);
          record.headers = {{"message-id", hex(uuid(i))}};
          record.partition = static_cast<std::int32_t>(i % partitions);
          return record;
        });
    std::printf("%zu messages sent in %.0f s\n", count, seconds_since(start));
  }
  ~Topic() { kafka().delete_topic(name_); }

  const std::string& name() const { return name_; }
  std::size_t count() const { return count_; }

 private:
  const std::string name_;
  const std::size_t count_;
};

class InsertRow final : public Handler {
  Outcome handle(const Message& message, Transaction& tx) override {
    tx.exec(insert_effect, message.text());
    return done();
  }
};

// From the start of an empty store and a new group until everything is durable and committed.
Cost with_idem(const Topic& topic) {
  test::Scratch scratch("bench");
  SqliteStore store({.path = (scratch / "bench.db").string(), .group_messages = group_messages});
  store.transact([](Transaction& tx) { tx.exec(make_effects); });
  KafkaSource source(
      {.topics = {topic.name()},
       .properties = {{"bootstrap.servers", kafka().bootstrap()}, {"group.id", test::unique_name("bench")}},
       .mode = KafkaOptions::Mode::fixed});
  InsertRow handler;
  Runtime runtime(
      {.consumer = "bench", .identity = id_from_header("message-id"), .report_interval = std::chrono::milliseconds(0)});
  runtime.add(source, store, handler);
  const Meter meter;
  if (const Exit exit = runtime.run_until_caught_up(); !exit.ok()) throw std::runtime_error(exit.detail);
  const Cost cost = meter.stop(topic.count());
  if (runtime.counters().done != topic.count())
    throw std::runtime_error("done " + std::to_string(runtime.counters().done) + " of " +
                             std::to_string(topic.count()));
  return cost;
}

// The same rows without Kafka, a thousand per transaction, without savepoints.
Cost bare_sqlite(std::size_t count) {
  test::Scratch scratch("bench");
  BareSqlite sqlite(scratch / "bench.db");
  const Meter meter;
  for (std::size_t i = 0; i < count;) {
    sqlite.begin();
    for (std::size_t in_group = 0; in_group < group_messages && i < count; ++in_group, ++i)
      sqlite.insert(uuid(i), payload(i));
    sqlite.commit();
  }
  return meter.stop(count);
}

struct DestroyKafka {
  void operator()(rd_kafka_t* client) const {
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
  }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};

std::unique_ptr<rd_kafka_t, DestroyKafka> reader(const Topic& topic) {
  char why[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::pair<const char*, std::string> properties[] = {{"bootstrap.servers", kafka().bootstrap()},
                                                            {"group.id", test::unique_name("bench")},
                                                            {"enable.auto.commit", "false"},
                                                            {"auto.offset.reset", "earliest"}};
  for (const auto& [name, value] : properties)
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK)
      throw std::runtime_error(why);
  std::unique_ptr<rd_kafka_t, DestroyKafka> client(rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why));
  if (!client) throw std::runtime_error(why);
  rd_kafka_poll_set_consumer(client.get());
  std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyKafka> list(rd_kafka_topic_partition_list_new(partitions));
  for (int p = 0; p < partitions; ++p)
    rd_kafka_topic_partition_list_add(list.get(), topic.name().c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  if (rd_kafka_assign(client.get(), list.get())) throw std::runtime_error("assign");
  return client;
}

// What is written by hand today: poll, one transaction with the id's unique index and the effect, commit the offset
// (asynchronously, which flatters it).
Cost by_hand(const Topic& topic, std::size_t count) {
  test::Scratch scratch("bench");
  BareSqlite sqlite(scratch / "bench.db");
  const auto client = reader(topic);
  const Meter meter;
  for (std::size_t done = 0; done < count;) {
    std::unique_ptr<rd_kafka_message_t, DestroyKafka> message(rd_kafka_consumer_poll(client.get(), 1'000));
    if (!message || message->err) continue;
    rd_kafka_headers_t* headers = nullptr;
    const void* id = nullptr;
    std::size_t size = 0;
    if (rd_kafka_message_headers(message.get(), &headers) ||
        rd_kafka_header_get_last(headers, "message-id", &id, &size))
      throw std::runtime_error("a message without id");
    sqlite.begin();
    sqlite.insert(from_hex({static_cast<const char*>(id), size}),
                  {static_cast<const char*>(message->payload), message->len});
    sqlite.commit();
    rd_kafka_commit_message(client.get(), message.get(), /*async=*/1);
    ++done;
  }
  return meter.stop(count);
}

}  // namespace

void kafka_sqlite(const Scale& scale) {
  const Topic topic(scale.messages(1'000'000));
  Rounds rounds;
  for (int i = 0; i < scale.rounds; ++i) {
    const Cost baseline = bare_sqlite(topic.count());
    rounds.add(with_idem(topic), baseline);
  }
  std::printf("idem %s, bare SQLite without Kafka %s (medians), %zu messages of 100 bytes, %zu a commit\n",
              rate(Spread(rounds.idem).median).c_str(), rate(Spread(rounds.baseline).median).c_str(), topic.count(),
              group_messages);
  conclude("kafka-sqlite", Spread(rounds.ratio).to_string(2), "≥ 0.8");
}

void one_per_transaction(const Scale& scale) {
  const Topic topic(scale.messages(500'000));
  const std::size_t by_hand_count = std::min(topic.count(), scale.messages(20'000));
  Rounds rounds;
  for (int i = 0; i < scale.rounds; ++i) {
    const Cost baseline = by_hand(topic, by_hand_count);
    rounds.add(with_idem(topic), baseline);
  }
  std::printf("idem %s with %zu messages, by hand %s with %zu (medians)\n", rate(Spread(rounds.idem).median).c_str(),
              topic.count(), rate(Spread(rounds.baseline).median).c_str(), by_hand_count);
  conclude("one-per-transaction", Spread(rounds.ratio).to_string(1) + "×", "≥ 20×");
}

}  // namespace idem::bench
