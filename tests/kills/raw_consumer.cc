// What idem is there to replace: automatic offset commits and a queue in memory. The kill harness runs it to prove
// that it can fail: this one loses messages and applies others twice.
//
// Takes the arguments of consumer.cc.

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "kills/act.h"
#include "kills/arguments.h"

namespace {

using idem::kills::Arguments;

struct Item {
  std::string id, key, payload;
  std::int32_t partition;
  std::int64_t offset;
};

// Unbounded, as such queues are.
class Queue {
 public:
  void push(Item item) {
    std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    news_.notify_one();
  }
  bool pop(Item& item) {
    std::unique_lock lock(mutex_);
    if (!news_.wait_for(lock, std::chrono::milliseconds(20), [&] { return !items_.empty(); })) return false;
    item = std::move(items_.front());
    items_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Item> items_;
};

std::atomic<bool> stopping = false;

void check(bool good, const std::string& what) {
  if (!good) throw std::runtime_error(what);
}

class Database {
 public:
  explicit Database(const std::string& path) {
    check(sqlite3_open(path.c_str(), &database_) == SQLITE_OK, "open " + path);
    for (const char* sql :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
          "CREATE TABLE IF NOT EXISTS effects (id TEXT, partition INTEGER, position INTEGER, key TEXT, "
          "amount INTEGER)"})
      check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
    check(
        sqlite3_prepare_v2(database_, "INSERT INTO effects VALUES (?, ?, ?, ?, ?)", -1, &insert_, nullptr) == SQLITE_OK,
        "prepare");
  }

  void apply(const Item& item) {
    const auto payload = idem::kills::Payload::parse(item.payload);
    sqlite3_bind_text(insert_, 1, item.id.data(), static_cast<int>(item.id.size()), SQLITE_STATIC);
    sqlite3_bind_int(insert_, 2, item.partition);
    sqlite3_bind_int64(insert_, 3, item.offset);
    sqlite3_bind_text(insert_, 4, item.key.data(), static_cast<int>(item.key.size()), SQLITE_STATIC);
    sqlite3_bind_int64(insert_, 5, payload ? payload->amount : 0);
    check(sqlite3_step(insert_) == SQLITE_DONE, "insert");
    sqlite3_reset(insert_);
  }

 private:
  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

rd_kafka_t* connect(const Arguments& arguments) {
  char why[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::pair<const char*, std::string> properties[] = {{"bootstrap.servers", arguments.text("bootstrap")},
                                                            {"group.id", arguments.text("group")},
                                                            {"enable.auto.commit", "true"},
                                                            {"auto.commit.interval.ms", "20"},
                                                            {"auto.offset.reset", "earliest"},
                                                            {"fetch.wait.max.ms", "10"}};
  for (const auto& [name, value] : properties)
    check(rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK, why);
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  check(consumer, why);
  rd_kafka_poll_set_consumer(consumer);

  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(4);
  for (long p = 0; p < arguments.number("partitions", 4); ++p)
    rd_kafka_topic_partition_list_add(list, arguments.text("topic").c_str(), static_cast<std::int32_t>(p))->offset =
        RD_KAFKA_OFFSET_STORED;
  check(!rd_kafka_assign(consumer, list), "assign");
  rd_kafka_topic_partition_list_destroy(list);
  return consumer;
}

std::string text(const void* data, std::size_t size) {
  return data ? std::string(static_cast<const char*>(data), size) : std::string();
}

Item copy(const rd_kafka_message_t& message) {
  Item item{
      {}, text(message.key, message.key_len), text(message.payload, message.len), message.partition, message.offset};
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (!rd_kafka_message_headers(&message, &headers) && !rd_kafka_header_get_last(headers, "message-id", &value, &size))
    item.id = text(value, size);
  return item;
}

int run(const Arguments& arguments) {
  Database database(arguments.text("store"));
  rd_kafka_t* consumer = connect(arguments);
  const auto slow = std::chrono::microseconds(arguments.number("slow_us", 0));
  const bool until_caught_up = arguments.text("until", "signal") != "signal";

  Queue queue;
  std::atomic<long> queued = 0, applied = 0;
  std::thread worker([&] {
    for (Item item; !stopping;) {
      if (!queue.pop(item)) continue;
      if (slow.count() > 0) std::this_thread::sleep_for(slow);
      database.apply(item);
      ++applied;
    }
  });
  auto last_news = std::chrono::steady_clock::now();
  while (!stopping) {
    if (rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 20)) {
      if (!message->err) {
        queue.push(copy(*message));
        ++queued;
        last_news = std::chrono::steady_clock::now();
      }
      rd_kafka_message_destroy(message);
    } else if (until_caught_up && applied == queued &&
               std::chrono::steady_clock::now() - last_news > std::chrono::seconds(1)) {
      stopping = true;
    }
  }
  worker.join();
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  signal(SIGTERM, [](int) { stopping = true; });
  try {
    return run(Arguments(count, words));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem_kill_raw_consumer: %s\n", error.what());
    return 1;
  }
}
