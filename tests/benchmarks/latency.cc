// How long a message waits from its arrival until its effect is durable, at 100 messages a second.
#include <idem/idem.h>
#include <idem/memory_source.h>

#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "benchmarks/bench.h"
#include "benchmarks/rows.h"

namespace idem::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto between_messages = 10ms;

// Notes when each record becomes durable, and passes it on. With one partition in order, the k-th one to settle is the
// k-th message.
class Stopwatch final : public SettleListener {
 public:
  explicit Stopwatch(SettleListener& listener) : listener_(listener) {}

  void on_settled(std::span<const Settlement> settlements) noexcept override {
    const auto now = Clock::now();
    {
      std::lock_guard lock(mutex_);
      for (const Settlement& settlement : settlements)
        if (settlement.durable) durable_.push_back(now);
    }
    listener_.on_settled(settlements);
  }
  std::vector<Clock::time_point> durable() const {
    std::lock_guard lock(mutex_);
    return durable_;
  }

 private:
  SettleListener& listener_;
  mutable std::mutex mutex_;
  std::vector<Clock::time_point> durable_;
};

// A SqliteStore whose settlements pass by a stopwatch on their way. For a single worker.
class WatchedStore final : public TransactionalStore {
 public:
  explicit WatchedStore(SqliteStore& store) : store_(store) {}
  StoreTraits traits() const override { return store_.traits(); }
  std::shared_ptr<Ledger> ledger(const LedgerOptions& options) override {
    auto watched = std::make_shared<WatchedLedger>(store_.ledger(options), *this);
    return watched;
  }
  std::vector<Clock::time_point> durable() const { return stopwatch_->durable(); }

 private:
  class WatchedLedger final : public Ledger {
   public:
    WatchedLedger(std::shared_ptr<Ledger> ledger, WatchedStore& store) : ledger_(std::move(ledger)), store_(store) {}
    const HashKey& hash_key() const override { return ledger_->hash_key(); }
    Opened open(const PartitionRef& partition) override { return ledger_->open(partition); }
    void reset(std::uint32_t slot, const Progress& progress, std::string_view origin) override {
      ledger_->reset(slot, progress, origin);
    }
    void skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
              SettleListener& listener) override {
      ledger_->skip(slot, from, to, token, listener);
    }
    std::unique_ptr<Session> session(SettleListener& listener) override {
      store_.stopwatch_ = std::make_unique<Stopwatch>(listener);
      return ledger_->session(*store_.stopwatch_);
    }
    void advance(Timestamp time) override { ledger_->advance(time); }
    Timestamp stream_time() const override { return ledger_->stream_time(); }
    std::vector<ParkedMessage> parked(std::int64_t after, std::size_t limit) override {
      return ledger_->parked(after, limit);
    }

   private:
    std::shared_ptr<Ledger> ledger_;
    WatchedStore& store_;
  };

  SqliteStore& store_;
  std::unique_ptr<Stopwatch> stopwatch_;
};

class InsertRow final : public Handler {
  Outcome handle(const Message& message, Transaction& tx) override {
    tx.exec(insert_effect, message.text());
    return done();
  }
};

struct Took {
  std::vector<double> messages;  // from MemoryLog::append to durable, in ms
  std::vector<double> syncs;     // bare, half way between two messages
};

Took round(const std::filesystem::path& directory, std::size_t count) {
  MemoryLog log("bench");
  MemorySource source(log);
  SqliteStore store({.path = (directory / "bench.db").string()});
  store.transact([](Transaction& tx) { tx.exec(make_effects); });
  WatchedStore watched(store);
  InsertRow handler;
  Runtime runtime(
      {.consumer = "bench", .identity = id_from_header("message-id"), .workers = 1, .report_interval = 0ms});
  runtime.add(source, watched, handler);
  std::thread running([&] { (void)runtime.run(); });

  Took took;
  SyncedFile bare(directory / "bare");
  std::vector<Clock::time_point> arrived;
  auto next = Clock::now() + 100ms;
  for (std::size_t i = 0; i < count; ++i) {
    std::this_thread::sleep_until(next += between_messages);
    MemoryLog::Entry entry;
    entry.payload = payload(i);
    entry.headers = {{"message-id", hex(uuid(i))}};
    arrived.push_back(Clock::now());
    log.append(0, std::move(entry));
    std::this_thread::sleep_until(next + between_messages / 2);
    took.syncs.push_back(bare.append());
  }
  std::this_thread::sleep_for(200ms);
  runtime.stop();
  running.join();

  const auto durable = watched.durable();
  if (durable.size() != count) throw std::runtime_error("durable are " + std::to_string(durable.size()) + " messages");
  for (std::size_t i = 0; i < count; ++i)
    took.messages.push_back(std::chrono::duration<double, std::milli>(durable[i] - arrived[i]).count());
  return took;
}

}  // namespace

void latency(const Scale& scale) {
  const std::size_t count = scale.messages(1'000) + 20;
  std::vector<double> medians, tails, sync_medians, sync_tails;
  for (int i = 0; i < scale.rounds; ++i) {
    test::Scratch scratch("bench");
    const Took took = round(scratch.path(), count);
    medians.push_back(quantile(took.messages, 0.5));
    tails.push_back(quantile(took.messages, 0.99));
    sync_medians.push_back(quantile(took.syncs, 0.5));
    sync_tails.push_back(quantile(took.syncs, 0.99));
    std::printf("  round %d: median %.2f ms, 99 %% below %.2f ms; bare fsync median %.2f ms, 99 %% below %.2f ms\n",
                i + 1, medians.back(), tails.back(), sync_medians.back(), sync_tails.back());
    std::fflush(stdout);
  }
  char target[120], reached[120];
  std::snprintf(target, sizeof target, "p99 ≤ %.2f ms (2 fsyncs + 2 ms; by the fsync's median %.2f ms)",
                2 * Spread(sync_tails).median + 2, 2 * Spread(sync_medians).median + 2);
  std::snprintf(reached, sizeof reached, "p99 %s ms, median %s ms", Spread(tails).to_string(2).c_str(),
                Spread(medians).to_string(2).c_str());
  conclude("latency", reached, target);
}

}  // namespace idem::bench
