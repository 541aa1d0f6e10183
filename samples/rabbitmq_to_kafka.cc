// Files receipts from RabbitMQ and tells Kafka of each: the way back from kafka_to_rabbitmq.cc. A receipt that its sender
// had to send twice is filed once, since both copies have one message_id.
//
//   rabbitmq_to_kafka AMQP_URI BOOTSTRAP_SERVERS ARCHIVE_DB
#include <idem/idem.h>

#include <cstdio>
#include <exception>

class FileReceipt : public idem::Handler {
  idem::Outcome handle(const idem::Message& message, idem::Transaction& tx) override {
    const auto account = message.header("account");
    if (!account) return idem::dead_letter("no account");
    tx.exec("INSERT INTO receipt (id, account, text) VALUES ($1, $2, $3)", message.id, *account, message.text());
    tx.publish("filed", {.key = std::string(*account), .payload = std::string(message.text())});
    return idem::done();
  }
};

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc != 4) return std::fprintf(stderr, "usage: rabbitmq_to_kafka AMQP_URI BOOTSTRAP_SERVERS ARCHIVE_DB\n"), 2;

  idem::SqliteStore store({.path = argv[3], .wait_for_owner = 10s});
  store.transact([](idem::Transaction& tx) {
    tx.exec("CREATE TABLE IF NOT EXISTS receipt (id TEXT, account TEXT, text TEXT)");
  });

  idem::KafkaPublisher publisher({.properties = {{"bootstrap.servers", argv[2]}}});
  idem::Relay relay(store);
  relay.add("filed", idem::kafka_topic(publisher, "receipts-filed"));

  idem::RabbitSource receipts(
      {.uri = argv[1], .queue = "receipts", .topology = {.queues = {{.name = "receipts"}}}});
  FileReceipt file;
  idem::Runtime runtime({.consumer = "archive", .identity = idem::id_from_header("message_id")});
  runtime.add(receipts, store, file);
  return runtime.run_until_signal();
} catch (const std::exception& error) {
  std::fprintf(stderr, "rabbitmq_to_kafka: %s\n", error.what());
  return 1;
}
