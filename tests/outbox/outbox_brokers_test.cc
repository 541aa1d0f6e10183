// What handlers publish, on real brokers: from Kafka to RabbitMQ and back, dead letters, and rows no broker will take.
#include <algorithm>
#include <map>
#include <set>

#include <idem/outbox.h>

#include "end_to_end/on_kafka.h"
#include "end_to_end/on_rabbit.h"
#include "publishers/rabbit_reader.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

/// A row for the message's effect, and a message that tells of it.
class Forward final : public Handler {
 public:
  explicit Forward(std::string destination) : destination_(std::move(destination)) {}
  Outcome handle(const Message& message, Transaction& tx) override {
    const Outcome outcome = recorder_.handle(message, tx);
    tx.publish(destination_, {.key = "key-" + std::to_string(message.text().size() % 3),
                              .payload = "done: " + std::string(message.id),
                              .headers = {{"from", std::string(message.topic)}}});
    return outcome;
  }

 private:
  const std::string destination_;
  Recorder recorder_;
};

class OutboxBrokers : public OnRabbit {
 protected:
  void SetUp() override {
    OnRabbit::SetUp();
    if (IsSkipped()) return;
    IDEM_NEEDS("kafka", KafkaBroker::unavailable());
    client().declare_queue(queue);
  }
  KafkaBroker& kafka() { return KafkaBroker::shared(); }
  KafkaClient kafka_client() { return KafkaClient(kafka().bootstrap()); }
  KafkaPublisherOptions to_kafka() { return {.properties = {{"bootstrap.servers", kafka().bootstrap()}}}; }
  RabbitPublisherOptions to_rabbit() {
    RabbitPublisherOptions options;
    options.uri = broker().uri();
    return options;
  }
  KafkaOptions from_kafka() {
    KafkaOptions options;
    options.topics = {topic};
    options.properties = {{"bootstrap.servers", kafka().bootstrap()}, {"group.id", topic + "-group"}};
    options.mode = KafkaOptions::Mode::fixed;
    return options;
  }
  void fill_topic(int count) {
    kafka().create_topic(topic, 2);
    const auto records = messages("k", count);
    for (const std::string& id : ids_of(records)) sent.push_back(id);
    kafka_client().produce(topic, records);
  }
  std::vector<std::string> expected() const {
    std::vector<std::string> payloads;
    for (const std::string& id : sent) payloads.push_back("done: " + id);
    std::sort(payloads.begin(), payloads.end());
    return payloads;
  }
  template <class Found>
  static std::vector<std::string> payloads_of(const Found& messages) {
    std::vector<std::string> payloads;
    for (const auto& message : messages) payloads.push_back(std::string(payload_of(message)));
    std::sort(payloads.begin(), payloads.end());
    return payloads;
  }
  static const std::string& payload_of(const FoundMessage& message) { return message.payload; }
  static const std::string& payload_of(const StoredRecord& record) { return *record.payload; }

  std::string topic = unique_name("outbox");
};

TEST_F(OutboxBrokers, from_kafka_by_way_of_an_effect_to_rabbitmq) {
  IDEM_NEEDS("pika", no_pika());
  fill_topic(300);
  auto store = open_store(file);
  RabbitPublisher publisher(to_rabbit());
  Relay relay(*store);
  relay.add("done", rabbit_queue(publisher, queue));
  KafkaSource source(from_kafka());
  Forward handler("done");
  Runtime runtime(quick());
  runtime.add(source, *store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(balance(), balanced);
  const auto found = read_queue(broker().uri(), queue);
  EXPECT_EQ(payloads_of(found), expected());
  EXPECT_EQ(count_ids(found).size(), 300u) << "each with an id of its own";
  for (const FoundMessage& message : found) EXPECT_EQ(message.delivery_mode, 2);
  EXPECT_NE(found.at(0).headers.find(topic), std::string::npos) << found.at(0).headers;
  EXPECT_TRUE(store->outbox()->waiting().empty());
}

TEST_F(OutboxBrokers, from_rabbitmq_by_way_of_an_effect_to_kafka) {
  kafka().create_topic(topic, 2);
  send("r", 300);
  auto store = open_store(file);
  KafkaPublisher publisher(to_kafka());
  Relay relay(*store);
  relay.add("done", kafka_topic(publisher, topic));
  RabbitSource source(reading());
  Forward handler("done");
  Runtime runtime(known_by_id());
  runtime.add(source, *store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(balance(), balanced);
  const auto found = kafka_client().read_all(topic);
  EXPECT_EQ(payloads_of(found), expected());
  std::map<std::string, std::int32_t> partition_of;
  for (const StoredRecord& record : found)
    EXPECT_EQ(partition_of.emplace(*record.key, *record.partition).first->second, *record.partition);
}

TEST_F(OutboxBrokers, a_row_that_kafka_finds_too_large_is_parked_and_the_others_pass) {
  kafka().create_topic(topic, 1, {{"max.message.bytes", "2000"}});
  auto store = open_store(file);
  KafkaPublisher publisher(to_kafka());
  Relay relay(*store);
  relay.add("done", kafka_topic(publisher, topic));
  store->transact([](Transaction& tx) {
    for (const std::size_t size : {10u, 5'000u, 20u})
      tx.publish("done", {.key = "k", .payload = std::string(size, 'x')});
  });
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(kafka_client().read_all(topic).size(), 2u);
  const auto parked = store->outbox()->parked(0, 10);
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].message.payload->size(), 5'000u);
  EXPECT_FALSE(parked[0].why.empty());
}

TEST_F(OutboxBrokers, a_row_that_no_queue_is_bound_for_is_parked_and_the_others_pass) {
  auto store = open_store(file);
  RabbitPublisher publisher(to_rabbit());
  Relay relay(*store);
  relay.add("done", rabbit_exchange(publisher, ""));
  store->transact([&](Transaction& tx) {
    tx.publish("done", {.key = queue, .payload = "1"});
    tx.publish("done", {.key = "no such queue", .payload = "2"});
    tx.publish("done", {.key = queue, .payload = "3"});
  });
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(client().ready(queue), 2);
  const auto parked = store->outbox()->parked(0, 10);
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].message.payload, "2");
}

TEST_F(OutboxBrokers, a_missing_topic_or_exchange_is_waited_for_and_holds_up_nobody_else) {
  // The exchange will have a way to the queue from its first moment: with a binding, made later, the row could come in
  // between and be parked.
  RabbitPublisherOptions way = to_rabbit();
  way.topology.exchanges = {{.name = queue + "-way", .type = "fanout"}};
  way.topology.bindings = {{.exchange = queue + "-way", .queue = queue}};
  const RabbitPublisher makes_way(way);
  auto store = open_store(file);
  RabbitPublisher publisher(to_rabbit()), waits(to_rabbit());
  Relay relay(*store, {.first_pause = 10ms, .longest_pause = 500ms});
  relay.add("missing", rabbit_exchange(waits, queue + "-exchange", "key"));
  relay.add("there", rabbit_queue(publisher, queue));
  store->transact([](Transaction& tx) {
    tx.publish("missing", {.payload = "1"});
    tx.publish("there", {.payload = "2"});
  });
  EXPECT_TRUE(eventually([&] { return client().ready(queue) == 1; }));
  EXPECT_TRUE(eventually([&] { return relay.counters().sent_again > 0; }));
  EXPECT_TRUE(store->outbox()->parked(0, 10).empty()) << "nothing is wrong with the row";
  RabbitPublisherOptions owner = to_rabbit();
  owner.topology.exchanges = {{.name = queue + "-exchange", .arguments = {{"alternate-exchange", queue + "-way"}}}};
  const RabbitPublisher declares(owner);
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(client().ready(queue), 2);
}

TEST_F(OutboxBrokers, dead_letters_go_to_a_queue_in_the_transaction_that_parks_them) {
  IDEM_NEEDS("pika", no_pika());
  fill_topic(20);
  auto store = open_store(file);
  RabbitPublisher publisher(to_rabbit());
  Relay relay(*store);
  relay.add("dead", rabbit_queue(publisher, queue));
  KafkaSource source(from_kafka());
  Recorder handler([](const Message& m, Transaction&) -> std::optional<Outcome> {
    if (m.id == "k7") return dead_letter("the account is closed");
    return std::nullopt;
  });
  RuntimeOptions options = quick();
  options.dead_letter_destination = "dead";
  Runtime runtime(options);
  runtime.add(source, *store, handler);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(runtime.counters().parked, 1u);
  const auto found = read_queue(broker().uri(), queue);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].id, "k7") << "known as before";
  for (const char* part : {"idem-reason", "dead_letter", "idem-why", "the account is closed", topic.c_str()})
    EXPECT_NE(found[0].headers.find(part), std::string::npos) << part << " in " << found[0].headers;
}

}  // namespace
}  // namespace idem::test
