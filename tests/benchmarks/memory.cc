// Resident memory with a backlog of gigabytes: bounded by the budget and not by what the broker has.
#include <idem/idem.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "benchmarks/bench.h"
#include "benchmarks/rows.h"
#include "support/kafka_client.h"
#include "support/process.h"

namespace idem::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1 << 20;
constexpr std::size_t budget_bytes = 64 * mebibyte;
constexpr std::size_t allowance = 64 * mebibyte;
constexpr int partitions = 4;

// A line of /proc/self/status, in bytes.
std::size_t status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return std::stoul(line.substr(name.size() + 1)) * 1'024;
  return 0;
}

double in_mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(mebibyte); }

class InsertRow final : public Handler {
  Outcome handle(const Message& message, Transaction& tx) override {
    tx.exec("INSERT INTO effects (body) VALUES ($1)", message.text().substr(0, 100));
    return done();
  }
};

}  // namespace

// memory-consumer BOOTSTRAP TOPIC STORE: reads everything; prints resident bytes before, and at the most.
int memory_consumer(int count, char** words) {
  if (count != 4) return 2;
  SqliteStore store({.path = words[3]});
  store.transact([](Transaction& tx) { tx.exec(make_effects); });
  KafkaSource source({.topics = {words[2]},
                      .properties = {{"bootstrap.servers", words[1]}, {"group.id", "memory"}},
                      .mode = KafkaOptions::Mode::fixed});
  InsertRow handler;
  RuntimeOptions options;
  options.consumer = "memory";
  options.identity = id_from_header("message-id");
  options.budget = {.messages = 1'000'000, .bytes = budget_bytes};  // the bytes are to be the limit
  options.report_interval = 0ms;
  Runtime runtime(options);
  runtime.add(source, store, handler);
  const std::size_t before = status("VmRSS");
  const Exit exit = runtime.run_until_caught_up();
  if (!exit.ok()) std::fprintf(stderr, "%s\n", exit.detail.c_str());
  std::printf("%zu %zu %lu\n", before, status("VmHWM"), runtime.counters().done);
  return exit;
}

void memory(const Scale& scale) {
  const std::size_t count = scale.messages(2'000'000);
  const std::string topic = test::unique_name("backlog");
  kafka().create_topic(topic, partitions);
  test::KafkaClient(kafka().bootstrap(), {{"linger.ms", "20"}, {"batch.size", "1000000"}})
      .produce_each(topic, count, [](std::size_t i) {
        test::Record record;
        record.payload = payload(i);
        record.payload->resize(1'024, '.');
        record.headers = {{"message-id", hex(uuid(i))}};
        record.partition = static_cast<std::int32_t>(i % partitions);
        return record;
      });
  std::printf("%zu messages of 1 KiB wait (%.0f MiB), the budget is %.0f MiB\n", count,
              static_cast<double>(count) / 1'024, in_mebibytes(budget_bytes));
  std::fflush(stdout);

  test::Scratch scratch("bench");
  const auto finished = test::run(
      {"/proc/self/exe", "memory-consumer", kafka().bootstrap(), topic, (scratch / "memory.db").string()}, {}, 1h);
  kafka().delete_topic(topic);
  std::size_t before = 0, highest = 0, done = 0;
  if (!finished.status.ok() || std::sscanf(finished.output.c_str(), "%zu %zu %zu", &before, &highest, &done) != 3 ||
      done != count)
    throw std::runtime_error("the consumer failed: " + finished.output);

  // The id index of this store: its filter and SQLite's page cache, in which the ids' pages lie.
  const std::size_t index = SqliteOptions{}.cache_bytes;
  std::printf("resident before the run %.0f MiB, at the most %.0f MiB\n", in_mebibytes(before), in_mebibytes(highest));
  char reached[96], target[96];
  std::snprintf(reached, sizeof reached, "%.0f MiB", in_mebibytes(highest));
  std::snprintf(target, sizeof target, "≤ %.0f MiB (budget %.0f + 64 + page cache with the ids %.0f)",
                in_mebibytes(budget_bytes + allowance + index), in_mebibytes(budget_bytes), in_mebibytes(index));
  conclude("memory", reached, target);
}

}  // namespace idem::bench
