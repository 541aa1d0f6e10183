// The service of payments.cc as it is usually written: auto-commit, a poll loop, a queue, a worker. When it
// dies, what was committed and still queued is lost, and what was booked since that commit is booked again.
//
//   raw_loop BOOTSTRAP_SERVERS LEDGER_DB
#include <librdkafka/rdkafkacpp.h>
#include <sqlite3.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <memory>
#include <mutex>
#include <queue>
#include <stdexcept>

#include "payment.h"

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
    char* const sql = sqlite3_mprintf(
        "BEGIN; INSERT INTO booking (payment, account, cents) VALUES (%Q, %lld, %lld); "
        "INSERT INTO account VALUES (%lld, %lld) ON CONFLICT DO UPDATE SET cents = cents + %lld; COMMIT",
        id.c_str(), payment.account, payment.cents, payment.account, payment.cents, payment.cents);
    exec(db, sql);
    sqlite3_free(sql);
  }
}

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: raw_loop BOOTSTRAP_SERVERS LEDGER_DB\n"), 2;
  std::signal(SIGTERM, [](int) { stopping = 1; });
  sqlite3* db = nullptr;
  sqlite3_open(argv[2], &db);
  exec(db, "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  for (const char* table : ledger_tables) exec(db, table);

  std::string why;
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  if (conf->set("bootstrap.servers", argv[1], why) || conf->set("group.id", "ledger", why) ||
      conf->set("auto.offset.reset", "earliest", why) || conf->set("auto.commit.interval.ms", "1000", why))
    throw std::runtime_error(why);
  const std::unique_ptr<RdKafka::KafkaConsumer> consumer(RdKafka::KafkaConsumer::create(conf.get(), why));
  if (!consumer) throw std::runtime_error(why);
  std::vector<RdKafka::TopicPartition*> all;  // by itself, as payments.cc without MEMBER; else subscribe()
  for (int i = 0; i < 4; ++i) all.push_back(RdKafka::TopicPartition::create("payments", i));
  consumer->assign(all);
  RdKafka::TopicPartition::destroy(all);

  std::jthread worker(work, db);
  while (!stopping) {
    const std::unique_ptr<RdKafka::Message> message(consumer->consume(/*timeout_ms=*/100));
    if (message->err() || !message->headers()) continue;
    const auto id = message->headers()->get_last("payment-id");
    const auto payment = Payment::parse({static_cast<const char*>(message->payload()), message->len()});
    if (!id.value() || !payment) continue;
    const std::lock_guard lock(mutex);
    jobs.emplace(id.value_string(), *payment);
    arrived.notify_one();
  }
  worker = {};  // books what is still queued
  consumer->close();
} catch (const std::exception& error) {
  std::fprintf(stderr, "raw_loop: %s\n", error.what());
  return 1;
}
