// idem_bench: see tests/bench, which builds and starts it.

#include <spdlog/spdlog.h>
#include <sys/utsname.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks/bench.h"
#include "support/require.h"

namespace {

using namespace idem::bench;

struct Benchmark {
  const char* name;
  const char* what;
  void (*run)(const Scale&);
  const char* part;  ///< the server it needs; nullptr: none
};

constexpr Benchmark benchmarks[] = {
    {"kafka-sqlite", "Kafka → idem → SQLite, against the same rows put into SQLite by a bare loop", kafka_sqlite, "kafka"},
    {"one-per-transaction", "the same, against a hand-written loop with one transaction per message",
     one_per_transaction, "kafka"},
    {"overhead", "the framework's own CPU time per message", overhead, nullptr},
    {"latency", "from arrival to durable at 100 messages a second, against a bare fsync", latency, nullptr},
    {"memory", "resident memory with a backlog far larger than the budget", memory, "kafka"},
    {"rabbitmq", "RabbitMQ → idem → memory or SQLite, against a bare loop that acknowledges every 100", rabbitmq,
     "rabbitmq"},
    {"confirms", "RabbitPublisher, against a bare loop with as many confirms outstanding", confirms, "rabbitmq"},
    {"relay", "from the outbox to RabbitMQ, against its publisher alone", relay, "rabbitmq"},
    {"outbox", "a handler that also sends, against one that does not", outbox, nullptr},
};

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

void describe_machine() {
  idem::test::Scratch scratch("bench");
  SyncedFile file(scratch / "sync");
  std::vector<double> syncs;
  for (int i = 0; i < 200; ++i) syncs.push_back(file.append());
  utsname system{};
  uname(&system);
  std::printf("machine: %u cores, %s, Linux %s; fsync of 4 KiB in %s: %.2f ms, 99 %% below %.2f ms\n",
              std::thread::hardware_concurrency(), processor().c_str(), system.release,
              scratch.path().parent_path().c_str(), quantile(syncs, 0.5), quantile(syncs, 0.99));
#ifndef NDEBUG
  std::printf("NOT a release build: these figures mean nothing\n");
#endif
}

/// Why the part is missing, if it is.
std::optional<std::string> missing(const std::string& part) {
  return part == "kafka" ? idem::test::kafka_missing() : idem::test::RabbitBroker::unavailable();
}

bool run(const Benchmark& benchmark, const Scale& scale) {
  std::printf("\n== %s: %s\n", benchmark.name, benchmark.what);
  std::fflush(stdout);
  if (benchmark.part) {
    if (const auto why = missing(benchmark.part)) {
      const bool required = idem::test::required(benchmark.part);
      std::printf("%s: %s: %s\n", benchmark.name, required ? "FAILED" : "SKIPPED", why->c_str());
      return !required;
    }
  }
  try {
    benchmark.run(scale);
    return true;
  } catch (const std::exception& error) {
    std::printf("%s: FAILED: %s\n", benchmark.name, error.what());
    return false;
  }
}

}  // namespace

int main(int count, char** words) {
  spdlog::set_level(spdlog::level::warn);
  if (count > 1 && !std::strcmp(words[1], "memory-consumer")) return memory_consumer(count - 1, words + 1);

  Scale scale;
  std::vector<const Benchmark*> chosen;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const Benchmark* found = nullptr;
    for (const Benchmark& benchmark : benchmarks)
      if (word == benchmark.name) found = &benchmark;
    if (found) {
      chosen.push_back(found);
    } else if (word == "--quick") {
      scale = {.quick = true, .rounds = 1};
    } else if (word == "--rounds" && i + 1 < count) {
      scale.rounds = std::stoi(words[++i]);
    } else if (word == "list") {
      for (const Benchmark& benchmark : benchmarks) std::printf("%-20s %s\n", benchmark.name, benchmark.what);
      return 0;
    } else {
      std::fprintf(stderr, "idem_bench: unknown benchmark %s (tests/bench list)\n", word.c_str());
      return 2;
    }
  }
  if (chosen.empty())
    for (const Benchmark& benchmark : benchmarks) chosen.push_back(&benchmark);

  describe_machine();
  bool good = true;
  for (const Benchmark* benchmark : chosen) good &= run(*benchmark, scale);
  return good ? 0 : 1;
}
