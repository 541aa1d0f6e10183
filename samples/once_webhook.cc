// idem without its loop: a webhook that a payment provider calls again until it sees the answer. Each line of
// input stands for one call, "ID ACCOUNT CENTS"; the answer is given when the booking is durable.
//
//   once_webhook LEDGER_DB < calls
#include <idem/once.h>
#include <idem/sqlite_store.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "payment.h"

const char* answer(idem::TransactionalStore& store, const std::string& call) {
  const auto space = call.find(' ');
  const std::string id = call.substr(0, space);
  const std::string content = space == std::string::npos ? "" : call.substr(space + 1);
  const auto payment = Payment::parse(content);
  if (id.empty() || !payment) return "400 not a payment";

  const auto book = [&](idem::Transaction& tx) {
    tx.exec("INSERT INTO booking (payment, account, cents) VALUES ($1, $2, $3)", id, payment->account,
            payment->cents);
  };
  switch (idem::once(store, "webhook", id, book, content)) {
    case idem::Once::applied: return "201 booked";
    case idem::Once::duplicate: return "200 booked before";
    case idem::Once::conflict: return "409 this id was another payment";
  }
  return "500 unknown";
}

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: once_webhook LEDGER_DB\n"), 2;
  idem::SqliteStore store({.path = argv[1]});
  store.transact([](idem::Transaction& tx) {
    for (const char* table : ledger_tables) tx.exec(table);
  });
  for (std::string call; std::getline(std::cin, call);) std::cout << answer(store, call) << std::endl;
} catch (const std::exception& error) {
  std::fprintf(stderr, "once_webhook: %s\n", error.what());
  return 1;
}
