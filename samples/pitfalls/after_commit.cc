// The cure of automatic_ack.cc: the same service on idem. A payment is acknowledged when its booking is durable, so
// whatever this had in memory when it dies comes again; what was booked already is recognised by its id.
//
//   after_commit URI LEDGER_DB
#include <idem/idem.h>

#include <cstdio>
#include <exception>

#include "../payment.h"

class BookPayment : public idem::Handler {
  idem::Outcome handle(const idem::Message& message, idem::Transaction& tx) override {
    const auto payment = Payment::parse(message.text());
    if (!payment) return idem::dead_letter("not a payment");
    screen(*payment);
    tx.exec("INSERT INTO booking (payment, account, cents) VALUES ($1, $2, $3)", message.id, payment->account,
            payment->cents);
    return idem::done();
  }
};

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: after_commit URI LEDGER_DB\n"), 2;
  idem::SqliteStore store({.path = argv[2]});
  store.transact([](idem::Transaction& tx) {
    for (const char* table : ledger_tables) tx.exec(table);
  });
  idem::RabbitSource payments({.uri = argv[1], .queue = "payments"});
  BookPayment book;
  idem::Runtime runtime({.consumer = "ledger",
                         .identity = idem::id_from_header("message_id"),
                         .ordering = idem::Ordering::unordered,
                         .workers = 4});
  runtime.add(payments, store, book);
  return runtime.run_until_signal();
} catch (const std::exception& error) {
  std::fprintf(stderr, "after_commit: %s\n", error.what());
  return 1;
}
