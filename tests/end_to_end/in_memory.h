// The fixture of the tests that need no broker: a log in memory, and a store's file of their own for each
// test.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <idem/memory_source.h>

#include "kit.h"
#include "support/scratch.h"

namespace idem::test {

class InMemory : public testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

  /// Appends a message known by `id`, and adds the id to `sent`.
  std::int64_t send(const std::string& id, std::optional<std::string> payload = "payload",
                    std::int32_t partition = 0) {
    sent.push_back(id);
    return send_as({{"id", id}}, std::move(payload), partition);
  }
  /// Appends a message with these headers, and expects nothing of it.
  std::int64_t send_as(Headers headers, std::optional<std::string> payload = "payload",
                       std::int32_t partition = 0) {
    return log.append(partition, {"key", std::move(payload), std::move(headers), {}});
  }
  void send_many(const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) send(prefix + std::to_string(i));
  }

  /// One run from opening the store to closing it, until all that is in the log is done.
  Life catch_up(const RuntimeOptions& options = quick(), Recorder::Before before = {}) {
    auto store = open_store(file);
    MemorySource source(log);
    Recorder handler(std::move(before));
    Runtime runtime(options);
    runtime.add(source, *store, handler);
    Exit exit = runtime.run_until_caught_up();
    return {std::move(exit), runtime.counters(), handler.calls()};
  }
  Life catch_up(Recorder::Before before) { return catch_up(quick(), std::move(before)); }

  /// What lies in the parking lot.
  std::vector<ParkedMessage> parked() {
    auto store = open_store(file);
    return store->ledger({"test", RuntimeOptions{}.retention})->parked();
  }
  std::vector<std::string> parked_ids() {
    std::vector<std::string> ids;
    for (const auto& message : parked()) ids.push_back(message.id);
    return ids;
  }

  std::vector<Effect> effects() const { return effects_in(file); }
  Account balance() const { return account(sent, effects()); }
  /// Everything up to the end of the log is done, in the eyes of the broker.
  bool committed_to_the_end(std::int32_t partition = 0) const {
    const auto committed = log.committed(partition);
    return committed && committed->first == log.end(partition);
  }

  MemoryLog log{"memory", 2};
  Scratch scratch{"e2e"};
  std::filesystem::path file = scratch / "ledger.db";
  std::vector<std::string> sent;
};

}  // namespace idem::test
