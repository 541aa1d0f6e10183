// A wrong option is refused at the start, by name.
#include <cmath>

#include "tests/runtime/fixture.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

void expect_refused(const std::function<void(RuntimeOptions&)>& spoil, const std::string& field) {
  RuntimeOptions options = fast_options();
  spoil(options);
  try {
    Runtime runtime(options);
    FAIL() << field << " was accepted";
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find(field), std::string::npos) << e.what();
  }
}

TEST(Options, AreRefusedByName) {
  expect_refused([](auto& o) { o.consumer = ""; }, "consumer");
  expect_refused([](auto& o) { o.identity = {}; }, "identity");
  expect_refused([](auto& o) { o.retention = 0ms; }, "retention");
  expect_refused([](auto& o) { o.retry.attempts = 0; }, "retry.attempts");
  expect_refused([](auto& o) { o.retry.first_backoff = -1ms; }, "retry.first_backoff");
  expect_refused([](auto& o) { o.retry.max_backoff = 0ms; o.retry.first_backoff = 1ms; }, "retry.max_backoff");
  expect_refused([](auto& o) { o.retry.jitter = 1.5; }, "retry.jitter");
  expect_refused([](auto& o) { o.circuit_breaker.failure_share = 0; }, "circuit_breaker.failure_share");
  expect_refused([](auto& o) { o.circuit_breaker.failure_share = 1.1; }, "circuit_breaker.failure_share");
  expect_refused([](auto& o) { o.circuit_breaker.failure_share = std::nan(""); }, "circuit_breaker.failure_share");
  expect_refused([](auto& o) { o.circuit_breaker.minimum_failures = 0; }, "circuit_breaker.minimum_failures");
  expect_refused([](auto& o) { o.circuit_breaker.window = 0ms; }, "circuit_breaker.window");
  expect_refused([](auto& o) { o.circuit_breaker.first_pause = 0ms; }, "circuit_breaker.first_pause");
  expect_refused([](auto& o) { o.circuit_breaker.max_pause = 999ms; }, "circuit_breaker.max_pause");
  expect_refused([](auto& o) { o.circuit_breaker.probes = 0; }, "circuit_breaker.probes");
  expect_refused([](auto& o) { o.circuit_breaker.parking_allowance = 0; }, "circuit_breaker.parking_allowance");
  expect_refused([](auto& o) { o.circuit_breaker.successes_per_parking = 0; }, "circuit_breaker.successes_per_parking");
  expect_refused([](auto& o) { o.circuit_breaker.parking_interval = 0ms; }, "circuit_breaker.parking_interval");
  expect_refused([](auto& o) { o.rate_limit.messages_per_second = -1; }, "rate_limit.messages_per_second");
  expect_refused([](auto& o) { o.rate_limit.messages_per_second = 0.0001; }, "rate_limit.messages_per_second");
  expect_refused([](auto& o) { o.rate_limit.messages_per_second = 2e6; }, "rate_limit.messages_per_second");
  expect_refused([](auto& o) { o.rate_limit.messages_per_second = std::nan(""); }, "rate_limit.messages_per_second");
  expect_refused([](auto& o) { o.rate_limit.burst = 0; }, "rate_limit.burst");
  expect_refused([](auto& o) { o.rate_limit.burst = 1'000'001; }, "rate_limit.burst");
  expect_refused([](auto& o) { o.retry.long_delay = -1ms; }, "retry.long_delay");
  expect_refused([](auto& o) { o.budget.messages = 0; }, "budget.messages");
  expect_refused([](auto& o) { o.budget.bytes = 0; }, "budget.bytes");
  expect_refused([](auto& o) { o.handler_deadline = -1ms; }, "handler_deadline");
  expect_refused([](auto& o) { o.drain_timeout = -1ms; }, "drain_timeout");
  expect_refused([](auto& o) { o.commit_interval = 0ms; }, "commit_interval");
  expect_refused([](auto& o) { o.report_interval = -1ms; }, "report_interval");
}

TEST(Options, AnEmptyFactoryIsRefused) {
  MemoryLog log("t");
  MemoryStore store;
  MemorySource source(log);
  Runtime runtime(fast_options());
  EXPECT_THROW(runtime.add(source, store, HandlerFactory{}), std::invalid_argument);
}

}  // namespace
}  // namespace idem::test
