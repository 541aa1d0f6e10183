// The framework's own CPU time per message: memory source, memory store, a handler that does nothing.
#include <idem/idem.h>
#include <idem/memory_source.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "benchmarks/bench.h"
#include "benchmarks/rows.h"

namespace idem::bench {
namespace {

constexpr int partitions = 4;

class DoNothing final : public Handler {
  Outcome handle(const Message&, Transaction&) override { return done(); }
};

class Nobody final : public SettleListener {
  void on_settled(std::span<const Settlement>) noexcept override {}
};

void fill(MemoryLog& log, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    MemoryLog::Entry entry;
    entry.payload = payload(i);
    entry.headers = {{"message-id", hex(uuid(i))}};
    log.append(static_cast<std::int32_t>(i % partitions), std::move(entry));
  }
}

// µs of CPU per message, all threads, from the start of run() to its return.
double with_runtime(MemoryLog& log, std::size_t count) {
  MemorySource source(log);
  MemoryStore store;
  DoNothing handler;
  Runtime runtime(
      {.consumer = "bench", .identity = id_from_header("message-id"), .report_interval = std::chrono::milliseconds(0)});
  runtime.add(source, store, handler);
  const auto before = cpu_time();
  if (const Exit exit = runtime.run_until_caught_up(); !exit.ok()) throw std::runtime_error(exit.detail);
  const auto used = cpu_time() - before;
  if (runtime.counters().done != count) throw std::runtime_error("not every message was done");
  return used.count() / static_cast<double>(count);
}

// What of it is the memory store's: the same calls in batches, one thread, no runtime.
double store_alone(std::size_t count) {
  constexpr std::size_t batch = 64;
  MemoryStore store;
  const auto ledger = store.ledger({"bench"});
  const auto slot = ledger->open({"bench", 0}).slot;
  Nobody nobody;
  const auto session = ledger->session(nobody);
  Message message;
  std::vector<Record> records(batch);
  std::vector<const Record*> asked;
  for (Record& record : records) asked.push_back(&record);
  std::vector<Seen> seen(batch);

  const auto before = cpu_time();
  for (std::size_t i = 0; i < count; i += batch) {
    for (std::size_t j = 0; j < batch; ++j) {
      const Uuid id = uuid(i + j);
      Record& record = records[j];
      record.message = &message;
      record.id.emplace();
      std::memcpy(&*record.id, id.data(), id.size());
      record.partition = slot;
      record.from = message.offset = static_cast<std::int64_t>(i + j);
    }
    session->look_up(asked, seen);
    for (std::size_t j = 0; j < batch; ++j) {
      message.offset = static_cast<std::int64_t>(i + j);
      (void)session->begin(records[j]);
      (void)session->finish(records[j], {});
    }
    session->yield();
  }
  return (cpu_time() - before).count() / static_cast<double>(count);
}

}  // namespace

void overhead(const Scale& scale) {
  const std::size_t count = scale.messages(2'000'000) / 64 * 64;
  MemoryLog log("bench", partitions);
  fill(log, count);
  std::vector<double> whole, bare;
  for (int i = 0; i < scale.rounds; ++i) {
    bare.push_back(store_alone(count));
    // A log of its own group each time: a committed offset would end the round at once.
    for (int p = 0; p < partitions; ++p) log.commit(p, 0, "");
    whole.push_back(with_runtime(log, count));
    std::printf("  round %d: %.2f µs with idem, of which the memory store alone takes %.2f µs\n", i + 1, whole.back(),
                bare.back());
  }
  std::printf("%zu messages of 100 bytes, 4 partitions, memory source and store, empty handler\n", count);
  std::printf("the memory store's calls alone, on one thread: %s µs\n", Spread(bare).to_string(2).c_str());
  conclude("overhead", Spread(whole).to_string(2) + " µs of CPU a message, store included", "≤ 1.5 µs");
}

}  // namespace idem::bench
