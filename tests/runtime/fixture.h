// What the runtime's tests share: a log in memory, a store in memory, and handlers made of lambdas.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include <idem/memory_source.h>
#include <idem/memory_store.h>
#include <idem/runtime.h>

namespace idem::test {

class Handle final : public Handler {
 public:
  using Function = std::function<Outcome(const Message&, Transaction&)>;
  explicit Handle(Function function) : function_(std::move(function)) {}
  Outcome handle(const Message& message, Transaction& tx) override { return function_(message, tx); }

 private:
  Function function_;
};

/// Counts an effect per message id: a second effect of one id shows as "2".
inline Outcome count_effect(const Message& message, Transaction& tx) {
  const auto before = MemoryStore::get(tx, message.id);
  MemoryStore::put(tx, message.id, before ? std::to_string(std::stoi(*before) + 1) : "1");
  return done();
}

inline RuntimeOptions fast_options() {
  RuntimeOptions options;
  options.consumer = "test";
  options.identity = id_from_header("id");
  options.workers = 2;
  options.retry.first_backoff = std::chrono::milliseconds(1);
  options.retry.max_backoff = std::chrono::milliseconds(4);
  options.commit_interval = std::chrono::milliseconds(5);
  options.report_interval = std::chrono::milliseconds(0);
  return options;
}

inline MemoryLog::Entry entry(std::string id, std::string payload = "payload", std::optional<std::string> key = {}) {
  MemoryLog::Entry e;
  e.key = std::move(key);
  e.payload = std::move(payload);
  e.headers = {{"id", std::move(id)}};
  return e;
}

/// Waits for what must become true; a test that hangs is ended by ctest's own limit.
inline void wait_until(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

inline void expect_balanced(const Counters& c) {
  EXPECT_EQ(c.received + c.returned, c.done + c.duplicates + c.parked + c.delayed + c.in_flight + c.abandoned);
}

}  // namespace idem::test
