// Calls to somebody outside, with their claims in a file, from many workers and two sources at once. Worth running
// under ThreadSanitizer.
#include <idem/external_handler.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "sqlite_fixture.h"
#include "tests/runtime/fixture.h"

namespace idem::test {
namespace {

/// Fails in every way, each message as its number says, and writes down what it was told.
class Troubled final : public ExternalHandler {
 public:
  Outcome handle(const Message& message, const Attempt& attempt) override {
    {
      std::lock_guard lock(mutex_);
      told_[std::string(message.id)].push_back(attempt.maybe_executed);
    }
    const int number = std::stoi(std::string(message.id));
    if (number % 23 == 0) return dead_letter("no");
    if (attempt.number > 1) return done();
    if (number % 7 == 0) throw std::runtime_error("no answer");
    return number % 5 == 0 ? retry("503") : done();
  }
  /// Of each call of each id: whether it said that it may have been made before.
  std::map<std::string, std::vector<bool>> told() {
    std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<bool>> told_;
};

class SqliteExternal : public SqliteTest {
 protected:
  static constexpr int messages = 600;

  Counters run() {
    MemorySource first(one), second(other);
    Runtime runtime(options);
    runtime.add(first, *store_, handler);
    runtime.add(second, *store_, handler);
    const Exit exit = runtime.run_until_caught_up();
    EXPECT_TRUE(exit.ok()) << exit.detail;
    expect_balanced(runtime.counters());
    return runtime.counters();
  }

  MemoryLog one{"one", 3}, other{"other", 3};
  Troubled handler;
  RuntimeOptions options = [] {
    RuntimeOptions made = fast_options();
    made.workers = 4;
    return made;
  }();
};

TEST_F(SqliteExternal, every_repeated_call_says_so_whatever_else_happens) {
  for (int i = 0; i < messages; ++i) {
    one.append(i % 3, entry(std::to_string(i)));
    if (i % 4 == 0) other.append(i % 3, entry(std::to_string(i)));
  }
#ifdef IDEM_FAILPOINTS
  failpoint::arm("store.commit_lost:error@5,store.commit_refused:error@9,store.begin:error@12");
#endif
  std::atomic<bool> through{false};
  std::thread application([&] {
    while (!through) {
      try {
        store_->transact([](Transaction& tx) { effect(tx, "of the application"); });
      } catch (const StoreError& e) {
        EXPECT_TRUE(e.transient()) << e.what();
      }
    }
  });
  const Counters counters = run();
  through = true;
  application.join();

  EXPECT_EQ(counters.done + counters.parked, static_cast<std::uint64_t>(messages));
  const auto told = handler.told();
  EXPECT_EQ(told.size(), static_cast<std::size_t>(messages));
  for (const auto& [id, calls] : told) {
    EXPECT_FALSE(calls.front()) << id;
    EXPECT_TRUE(std::all_of(calls.begin() + 1, calls.end(), [](bool said) { return said; })) << id;
  }

  reopen();
  EXPECT_EQ(run().done, 0u);
  EXPECT_EQ(handler.told(), told) << "nothing is called again";
}

}  // namespace
}  // namespace idem::test
