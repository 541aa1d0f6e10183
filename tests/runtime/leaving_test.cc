// How a run ends: stop, signals, a handler that does not return, errors.
#include "tests/runtime/fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

namespace idem::test {
namespace {

using namespace std::chrono_literals;

void fill(MemoryLog& log, int count) {
  for (int i = 0; i < count; ++i) log.append(0, entry("m" + std::to_string(i)));
}

TEST(Leaving, StopFromAHandlerFinishesWhatRunsAndCommitsIt) {
  MemoryLog log("t");
  MemoryStore store;
  fill(log, 100);
  MemorySource source(log);
  Runtime runtime(fast_options());
  Handle handler([&](const Message& m, Transaction& tx) {
    if (m.id == "m10") runtime.stop();
    return count_effect(m, tx);
  });
  runtime.add(source, store, handler);
  const Exit exit = runtime.run();
  EXPECT_EQ(exit.reason, ExitReason::stopped);
  EXPECT_EQ(static_cast<int>(exit), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(log.committed(0)->first), runtime.counters().done);
  EXPECT_EQ(store.table().size(), runtime.counters().done);
  EXPECT_EQ(runtime.counters().in_flight, 0u);
  expect_balanced(runtime.counters());
}

TEST(Leaving, PastTheDrainDeadlineTheExitIsNotZeroAndNothingIsAcknowledged) {
  MemoryLog log("t");
  MemoryStore store;
  fill(log, 3);
  MemorySource source(log);
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false, released = false, returned = false;
  Handle handler([&](const Message&, Transaction&) {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
    returned = true;
    changed.notify_all();
    return retry("came back too late");
  });
  auto options = fast_options();
  options.workers = 1;
  options.drain_timeout = 20ms;
  {
    Runtime runtime(options);
    runtime.add(source, store, handler);
    std::thread stopper([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return entered; });
      runtime.stop();
    });
    const Exit exit = runtime.run();
    stopper.join();
    EXPECT_EQ(exit.reason, ExitReason::drain_timeout);
    EXPECT_EQ(static_cast<int>(exit), 1);
    EXPECT_EQ(log.committed(0)->first, 0) << "only the first position, nothing of what runs";
  }
  {
    std::unique_lock lock(mutex);  // the handler outlives the runtime: it must do no harm
    released = true;
    changed.notify_all();
    changed.wait(lock, [&] { return returned; });
  }
  Handle finish(count_effect);
  MemorySource again(log);
  Runtime second(fast_options());
  second.add(again, store, finish);
  EXPECT_EQ(second.run_until_caught_up(), 0);
  EXPECT_EQ(store.table().size(), 3u);
}

// In a process of its own: signals are for the whole process. They are raised in the thread that has its turn:
// ThreadSanitizer keeps one that comes to a thread about to block until it goes on, which may be never.
int exit_code_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

TEST(Leaving, SigtermIsAnOrderlyStop) {
  EXPECT_EQ(0, exit_code_of_child([] {
    MemoryLog log("t");
    MemoryStore store;
    fill(log, 20);
    MemorySource source(log);
    Handle handler([](const Message& m, Transaction& tx) {
      if (m.id == "m5") ::raise(SIGTERM);
      return count_effect(m, tx);
    });
    Runtime runtime(fast_options());
    runtime.add(source, store, handler);
    const Exit exit = runtime.run_until_signal();
    return exit.reason == ExitReason::stopped && store.table().count("m5") == 1 ? static_cast<int>(exit) : 3;
  }));
}

TEST(Leaving, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EQ(128 + SIGINT, exit_code_of_child([]() -> int {
    MemoryLog log("t");
    MemoryStore store;
    fill(log, 1);
    MemorySource source(log);
    Handle handler([](const Message&, Transaction&) -> Outcome {
      ::raise(SIGTERM);
      std::this_thread::sleep_for(50ms);
      ::raise(SIGINT);
      for (;;) std::this_thread::sleep_for(1s);
    });
    Runtime runtime(fast_options());
    runtime.add(source, store, handler);
    (void)runtime.run_until_signal();
    return 3;
  }));
}

TEST(Leaving, AHandlerThatNeverReturnsDoesNotKeepTheProcess) {
  EXPECT_EQ(1, exit_code_of_child([]() -> int {
    MemoryLog log("t");
    MemoryStore store;
    fill(log, 1);
    MemorySource source(log);
    Handle handler([](const Message&, Transaction&) -> Outcome {
      ::raise(SIGTERM);
      for (;;) std::this_thread::sleep_for(1s);
    });
    auto options = fast_options();
    options.drain_timeout = 20ms;
    Runtime runtime(options);
    runtime.add(source, store, handler);
    return runtime.run_until_signal();
  }));
}

TEST(Leaving, ARuntimeRunsOnce) {
  MemoryLog log("t");
  MemoryStore store;
  MemorySource source(log);
  Handle handler(count_effect);
  Runtime runtime(fast_options());
  EXPECT_THROW((void)runtime.run(), std::logic_error) << "nothing was added";
  runtime.add(source, store, handler);
  EXPECT_EQ(runtime.run_until_caught_up(), 0);
  EXPECT_THROW((void)runtime.run(), std::logic_error);
}

}  // namespace
}  // namespace idem::test
