// A service on a SQLite file that runs again and again: the file, the log and its committed offsets outlive its lives.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "by_hand.h"
#include "sqlite_fixture.h"
#include "tests/runtime/fixture.h"

namespace idem::test {

class ServiceLives : public SqliteTest {
 protected:
  ServiceLives() { options.ordering = Ordering::unordered; }
  void SetUp() override {}  // the file is open during a life only

  static Outcome write(const Message& message, Transaction& tx) {
    effect(tx, std::string(message.id));
    return done();
  }

  /// One life: until everything that was there is done.
  Counters live(Handle::Function function) {
    return live(std::move(function), [](Runtime& runtime) { return runtime.run_until_caught_up(); });
  }
  /// Until `enough` has come back. It is called on a thread of its own, while the service runs.
  Counters live_until(const std::function<void()>& enough, Handle::Function function) {
    return live(std::move(function), [&](Runtime& runtime) {
      std::thread person([&] {
        enough();
        runtime.stop();
      });
      const Exit exit = runtime.run();
      person.join();
      return exit;
    });
  }

  /// Time passes while no service runs: or its clock is put forward or back.
  void let_pass(std::chrono::milliseconds time) {
    (void)sql("UPDATE idem_returning SET due = due - " + std::to_string(time.count()));
  }

  Names sql(const std::string& statement) { return by_hand(path(), statement); }

  MemoryLog log{"payments"};
  RuntimeOptions options = fast_options();
  Names seen_effects;  ///< at the end of the last life, sorted

 private:
  Counters live(Handle::Function function, const std::function<Exit(Runtime&)>& run) {
    open();
    MemorySource source(log);
    Handle handler(std::move(function));
    Counters counters;
    {
      Runtime runtime(options);
      runtime.add(source, *store_, handler);
      const Exit exit = run(runtime);
      EXPECT_TRUE(exit.ok()) << exit.detail;
      expect_balanced(runtime.counters());
      counters = runtime.counters();
    }
    seen_effects = effects();
    close();
    return counters;
  }
};

}  // namespace idem::test
