// Books payments from Kafka into SQLite: each payment once, however often it was sent and whenever this dies.
// raw_loop.cc is the same service without idem.
//
//   payments BOOTSTRAP_SERVERS LEDGER_DB [MEMBER]
//
// With MEMBER, a name that stays the same across restarts, it joins the group "ledger" under that name.
// Without, it reads all partitions by itself: no group to join, at work milliseconds after a restart.
#include <idem/idem.h>

#include <cstdio>
#include <exception>

#include "payment.h"

class BookPayment : public idem::Handler {
  idem::Outcome handle(const idem::Message& message, idem::Transaction& tx) override {
    const auto payment = Payment::parse(message.text());
    if (!payment) return idem::dead_letter("not a payment");

    screen(*payment);  // slow work first: handlers run in parallel until they touch the transaction

    tx.exec("INSERT INTO booking (payment, account, cents) VALUES ($1, $2, $3)", message.id, payment->account,
            payment->cents);
    tx.exec("INSERT INTO account VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET cents = cents + $2",
            payment->account, payment->cents);
    return idem::done();
  }
};

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc < 3) return std::fprintf(stderr, "usage: payments BOOTSTRAP_SERVERS LEDGER_DB [MEMBER]\n"), 2;

  idem::SqliteStore store({.path = argv[2], .wait_for_owner = 10s});
  store.transact([](idem::Transaction& tx) {
    for (const char* table : ledger_tables) tx.exec(table);
  });

  idem::KafkaOptions options{.topics = {"payments"},
                             .properties = {{"bootstrap.servers", argv[1]}, {"group.id", "ledger"}}};
  if (argc > 3)
    options.properties["group.instance.id"] = argv[3];
  else
    options.mode = idem::KafkaOptions::Mode::fixed;
  idem::KafkaSource payments(options);

  BookPayment book;
  idem::Runtime runtime({.consumer = "ledger",
                         .identity = idem::id_from_header("payment-id"),
                         .ordering = idem::Ordering::by_key,
                         .workers = 4});
  runtime.add(payments, store, book);
  return runtime.run_until_signal();
} catch (const std::exception& error) {
  std::fprintf(stderr, "payments: %s\n", error.what());
  return 1;
}
