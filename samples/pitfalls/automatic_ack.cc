// PITFALL: automatic acknowledgement and a queue in memory. RabbitMQ forgets a message once it has sent it, and sends
// all it has; when this dies, what is in `jobs` is lost. after_commit.cc is the same service, cured.
//
//   automatic_ack URI LEDGER_DB
#include <sqlite3.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <queue>
#include <thread>

#include "../payment.h"
#include "channel.h"

std::queue<std::pair<std::string, Payment>> jobs;  // by payment id
std::mutex mutex;
std::condition_variable_any arrived;
volatile std::sig_atomic_t stopping = 0;

void exec(sqlite3* db, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr)) throw std::runtime_error(sqlite3_errmsg(db));
}

void work(std::stop_token stop, sqlite3* db) {
  for (;;) {
    std::unique_lock lock(mutex);
    if (!arrived.wait(lock, stop, [] { return !jobs.empty(); })) return;
    const auto [id, payment] = std::move(jobs.front());
    jobs.pop();
    lock.unlock();
    screen(payment);
    char* const sql = sqlite3_mprintf("INSERT INTO booking (payment, account, cents) VALUES (%Q, %lld, %lld)",
                                      id.c_str(), payment.account, payment.cents);
    exec(db, sql);
    sqlite3_free(sql);
  }
}

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: automatic_ack URI LEDGER_DB\n"), 2;
  std::signal(SIGTERM, [](int) { stopping = 1; });
  sqlite3* db = nullptr;
  sqlite3_open(argv[2], &db);
  exec(db, "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  for (const char* table : ledger_tables) exec(db, table);

  const Connection connection(argv[1]);
  amqp_basic_consume(connection, channel, amqp_cstring_bytes("payments"), amqp_empty_bytes, /*no_local=*/0,
                     /*no_ack=*/1, /*exclusive=*/0, amqp_empty_table);
  check(amqp_get_rpc_reply(connection), "basic.consume");

  std::jthread worker(work, db);
  while (!stopping) {
    amqp_maybe_release_buffers(connection);
    const timeval patience{0, 100'000};
    amqp_envelope_t envelope;
    const amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &patience, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) continue;
    check(reply, "consuming");
    const std::string body = text(envelope.message.body);
    if (const auto payment = Payment::parse(body)) {
      const std::lock_guard lock(mutex);
      jobs.emplace(text(envelope.message.properties.message_id), *payment);
      arrived.notify_one();
    }
    amqp_destroy_envelope(&envelope);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "automatic_ack: %s\n", error.what());
  return 1;
}
