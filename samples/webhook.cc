// A webhook whose callers ask again, with the same Idempotency-Key, until they have seen an answer. Whoever repeats a
// request gets the answer that was kept for it, also after a crash in between.
//
//   webhook PORT LEDGER_DB BANK        (PORT 0: any; BANK: such as http://localhost:8025)
//
// POST /payments "ACCOUNT CENTS" books a payment in the ledger: one booking. POST /payouts has the bank pay; it is asked at
// least once, always under the same key. A bank that tells copies by the key pays once.
#include <httplib.h>
#include <idem/once.h>
#include <idem/sqlite_store.h>

#include <csignal>
#include <cstdio>
#include <thread>

#include "payment.h"

void reply(httplib::Response& response, const idem::Once& once) {
  using Kind = idem::Once::Kind;
  const auto is = [&](auto... kinds) { return ((once.kind == kinds) || ...); };
  response.status = is(Kind::applied, Kind::duplicate) ? 201 : is(Kind::conflict, Kind::parked) ? 422 : 503;
  if (response.status == 503) response.set_header("Retry-After", "1");  // busy, not_applied, in_doubt: ask again
  const std::string text = once.result ? *once.result : is(Kind::conflict) ? "another request had this key" : once.why;
  response.set_content(text + "\n", "text/plain");
}

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc != 4) return std::fprintf(stderr, "usage: webhook PORT LEDGER_DB BANK\n"), 2;
  sigset_t stop;
  sigemptyset(&stop), sigaddset(&stop, SIGTERM), sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // before there are threads: main waits for them below

  idem::SqliteStore store({.path = argv[2], .wait_for_owner = 10s});
  for (const char* table : ledger_tables) store.transact([&](idem::Transaction& tx) { tx.exec(table); });
  const auto payments = store.ledger({"payments"}), payouts = store.ledger({"payouts"});  // open as long as this runs

  httplib::Server server;
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    for (const auto& ledger : {payments, payouts}) ledger->advance(now);  // what is too old to be repeated is forgotten
    if (!request.get_header_value("Idempotency-Key").empty()) return httplib::Server::HandlerResponse::Unhandled;
    response.status = 400;
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Post("/payments", [&](const httplib::Request& request, httplib::Response& response) {
    const std::string id = request.get_header_value("Idempotency-Key");
    const auto book = [&](idem::Transaction& tx) {
      const auto payment = Payment::parse(request.body);
      if (!payment) return idem::dead_letter("not a payment");
      tx.exec("INSERT INTO booking (payment, account, cents) VALUES ($1, $2, $3)", id, payment->account, payment->cents);
      return idem::done("booked as number " + std::to_string(*tx.query_value<std::int64_t>("SELECT last_insert_rowid()")));
    };
    reply(response, idem::once(store, "payments", id, book, {.content = request.body}));
  });
  server.Post("/payouts", [&](const httplib::Request& request, httplib::Response& response) {
    const auto pay = [&](const idem::Attempt& attempt) {
      httplib::Client bank(argv[3]);
      bank.set_read_timeout(5s);
      const httplib::Headers headers{{"Idempotency-Key", std::string(attempt.key)}};
      const auto answer = bank.Post("/transfers", headers, request.body, "text/plain");
      if (!answer || answer->status >= 500) return idem::retry("the bank did not answer");  // it may have paid
      return answer->status == 201 ? idem::done(answer->body) : idem::dead_letter("the bank refused");
    };
    reply(response, idem::once(store, "payouts", request.get_header_value("Idempotency-Key"), pay, {.content = request.body}));
  });

  const int wanted = std::atoi(argv[1]);
  const int port = wanted == 0 ? server.bind_to_any_port("127.0.0.1") : server.bind_to_port("127.0.0.1", wanted) ? wanted : -1;
  if (port < 0) return std::fprintf(stderr, "webhook: port %s cannot be had\n", argv[1]), 1;
  std::thread serving([&] { server.listen_after_bind(); });
  std::printf("http://127.0.0.1:%d\n", port), std::fflush(stdout);
  int signal = 0;
  sigwait(&stop, &signal);
  server.stop();
  serving.join();
} catch (const std::exception& error) {
  std::fprintf(stderr, "webhook: %s\n", error.what());
  return 1;
}
