// Books payments from Kafka and sends a receipt for each to RabbitMQ: the receipt commits with the booking, and is sent
// afterwards. Killed at any moment, no booking is without its receipt, and a receipt that is sent twice carries its id
// twice, by which rabbitmq_to_kafka.cc, or any consumer on idem, drops the copy.
//
//   kafka_to_rabbitmq BOOTSTRAP_SERVERS AMQP_URI LEDGER_DB
#include <idem/idem.h>

#include <cstdio>
#include <exception>

#include "payment.h"

class BookAndConfirm : public idem::Handler {
  idem::Outcome handle(const idem::Message& message, idem::Transaction& tx) override {
    const auto payment = Payment::parse(message.text());
    if (!payment) return idem::dead_letter("not a payment");

    tx.exec("INSERT INTO booking (payment, account, cents) VALUES ($1, $2, $3)", message.id, payment->account,
            payment->cents);
    tx.publish("receipts", {.payload = "booked " + std::string(message.id),
                            .headers = {{"account", std::to_string(payment->account)}}});
    return idem::done();
  }
};

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc != 4) return std::fprintf(stderr, "usage: kafka_to_rabbitmq BOOTSTRAP_SERVERS AMQP_URI LEDGER_DB\n"), 2;

  idem::SqliteStore store({.path = argv[3], .wait_for_owner = 10s});
  store.transact([](idem::Transaction& tx) {
    for (const char* table : ledger_tables) tx.exec(table);
  });

  idem::RabbitPublisher publisher({.uri = argv[2],
                                   .topology = {.queues = {{.name = "receipts"}, {.name = "not-payments"}}},
                                   .connect_at_start = false});  // bookings need not wait for RabbitMQ
  idem::Relay relay(store);
  relay.add("receipts", idem::rabbit_queue(publisher, "receipts"));
  relay.add("not-payments", idem::rabbit_queue(publisher, "not-payments"));

  idem::KafkaSource payments({.topics = {"payments"},
                              .properties = {{"bootstrap.servers", argv[1]}, {"group.id", "ledger"}},
                              .mode = idem::KafkaOptions::Mode::fixed});
  BookAndConfirm book;
  idem::Runtime runtime({.consumer = "ledger",
                         .identity = idem::id_from_header("payment-id"),
                         .ordering = idem::Ordering::by_key,
                         .dead_letter_destination = "not-payments"});
  runtime.add(payments, store, book);
  return runtime.run_until_signal();
} catch (const std::exception& error) {
  std::fprintf(stderr, "kafka_to_rabbitmq: %s\n", error.what());
  return 1;
}
