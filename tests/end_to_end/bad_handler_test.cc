// Handlers that misbehave: the message they were given has a clear outcome, the others have theirs.
#include <sqlite3.h>

#include <csignal>

#include "in_memory.h"

// Some of these handlers prepare statements and never finalize them: that leak is theirs.
extern "C" const char* __lsan_default_suppressions() { return "leak:libsqlite3.so"; }

namespace idem::test {
namespace {

// Ten messages, one bad one, ten messages: in one partition and by order, so that they share groups.
class BadHandler : public InMemory {
 protected:
  void SetUp() override {
    send_many("before", 10);
    send_as({{"id", "bad"}});
    send_many("after", 10);
  }

  // What the handler does with the bad message. It has written before, so that there is something to undo.
  Recorder::Before with_bad(std::function<Outcome(Transaction&)> act) {
    return [act = std::move(act)](const Message& message, Transaction& tx) -> std::optional<Outcome> {
      if (message.id != "bad") return std::nullopt;
      tx.exec("INSERT INTO effects (id) VALUES ('half done')");
      return act(tx);
    };
  }

  // The bad message is parked, with nothing of what its handler wrote; all others have one effect.
  ParkedMessage expect_only_the_bad_one_parked(const Life& life) {
    EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
    EXPECT_EQ(balance(), balanced);
    EXPECT_TRUE(committed_to_the_end());
    const auto lot = parked();
    if (lot.size() != 1 || lot[0].id != "bad") {
      ADD_FAILURE() << lot.size() << " messages are parked";
      return {};
    }
    return lot[0];
  }
  ParkedMessage expect_parked(std::function<Outcome(Transaction&)> act) {
    return expect_only_the_bad_one_parked(catch_up(with_bad(std::move(act))));
  }
  // The bad one is done like the others. `rows` is what its handler has left.
  void expect_done(const Life& life, int rows) {
    EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
    EXPECT_TRUE(committed_to_the_end());
    EXPECT_EQ(parked().size(), 0u);
    sent.push_back("half done");
    EXPECT_EQ(balance(), balanced);
    EXPECT_EQ(effects().size(), static_cast<std::size_t>(20 + rows));
  }
};

TEST_F(BadHandler, ThatThrowsIsRetriedAndThenParkedWithWhatItSaid) {
  const ParkedMessage message =
      expect_parked([](Transaction&) -> Outcome { throw std::runtime_error("no such account"); });
  EXPECT_EQ(message.reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(message.why, "no such account");
  EXPECT_EQ(message.attempts, 5);
}

TEST_F(BadHandler, ThatThrowsWhatIsNoExceptionIsRetriedAndThenParked) {
  const ParkedMessage message = expect_parked([](Transaction&) -> Outcome { throw 42; });
  EXPECT_EQ(message.reason, ParkReason::attempts_exhausted);
  EXPECT_NE(message.why, "");
}

TEST_F(BadHandler, ThatRetriesForEverIsParkedAfterItsAttempts) {
  const ParkedMessage message = expect_parked([](Transaction&) { return retry("the moon is not full"); });
  EXPECT_EQ(message.reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(message.why, "the moon is not full");
  EXPECT_EQ(message.attempts, 5);
}

TEST_F(BadHandler, ThatFailsAtFirstLeavesNothingOfItsFailures) {
  int calls = 0;
  const Life life = catch_up(with_bad([&](Transaction&) { return ++calls < 4 ? retry("not yet") : done(); }));
  expect_done(life, 1);
  // The first failure is not counted if it could not be undone without its neighbours: then it is called once more.
  EXPECT_GE(life.counters.retries, 2u);
  EXPECT_LE(life.counters.retries, 3u);
}

// --- SQL that is not the handler's to run
// ------------------------------------------------------------------------------

class ForbiddenSql : public BadHandler, public testing::WithParamInterface<const char*> {};

TEST_P(ForbiddenSql, ThroughTheTransactionIsRefused) {
  const ParkedMessage message = expect_parked([](Transaction& tx) {
    tx.exec(GetParam());
    return done();
  });
  EXPECT_EQ(message.reason, ParkReason::attempts_exhausted);
  EXPECT_NE(message.why, "");
}

TEST_P(ForbiddenSql, ThroughTheNativeHandleIsRefused) {
  const ParkedMessage message = expect_parked([](Transaction& tx) {
    const int code =
        sqlite3_exec(static_cast<sqlite3*>(tx.native_handle()), GetParam(), nullptr, nullptr, nullptr);
    EXPECT_NE(code, SQLITE_OK);
    return dead_letter("as expected");
  });
  EXPECT_EQ(message.why, "as expected");
}

TEST_P(ForbiddenSql, SwallowingTheRefusalDoesNoHarm) {
  const Life life = catch_up(with_bad([](Transaction& tx) {
    try {
      tx.exec(GetParam());
    } catch (const TransactionError&) {
    }
    return done();
  }));
  expect_done(life, 1);
}

INSTANTIATE_TEST_SUITE_P(BadHandler, ForbiddenSql,
                         testing::Values("COMMIT", "ROLLBACK", "END", "BEGIN", " /* now */ commit ;",
                                         "SAVEPOINT mine", "RELEASE idem", "PRAGMA synchronous=OFF",
                                         "ATTACH ':memory:' AS mine", "DELETE FROM idem_partition",
                                         "DROP TABLE idem_store"));

TEST_F(BadHandler, ThatRunsTwoStatementsInOneIsToldInsteadOfLosingTheSecond) {
  const ParkedMessage message = expect_parked([](Transaction& tx) {
    tx.exec("INSERT INTO effects (id) VALUES ('one'); INSERT INTO effects (id) VALUES ('two')");
    return done();
  });
  EXPECT_NE(message.why.find("one statement at a time"), std::string::npos) << message.why;
}

TEST_F(BadHandler, ThatLeavesAReadOpenIsClearedUpAfter) {
  const Life life = catch_up(with_bad([](Transaction& tx) {
    sqlite3_stmt* left_open = nullptr;
    auto* db = static_cast<sqlite3*>(tx.native_handle());
    EXPECT_EQ(sqlite3_prepare_v2(db, "SELECT id FROM effects", -1, &left_open, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(left_open), SQLITE_ROW);
    return done();
  }));
  expect_done(life, 1);
}

TEST_F(BadHandler, ThatLeavesAWriteOpenIsClearedUpAfter) {
  const Life life = catch_up(with_bad([](Transaction& tx) {
    sqlite3_stmt* left_open = nullptr;
    auto* db = static_cast<sqlite3*>(tx.native_handle());
    EXPECT_EQ(
        sqlite3_prepare_v2(db, "UPDATE effects SET topic = topic RETURNING id", -1, &left_open, nullptr),
        SQLITE_OK);
    EXPECT_EQ(sqlite3_step(left_open), SQLITE_ROW);
    return done();
  }));
  expect_done(life, 1);
}

TEST_F(BadHandler, ThatLeavesAStatementOpenAndFailsIsUndone) {
  expect_parked([](Transaction& tx) {
    sqlite3_stmt* left_open = nullptr;
    auto* db = static_cast<sqlite3*>(tx.native_handle());
    EXPECT_EQ(sqlite3_prepare_v2(db, "INSERT INTO effects (id) VALUES ('half done') RETURNING id", -1,
                                 &left_open, nullptr),
              SQLITE_OK);
    EXPECT_EQ(sqlite3_step(left_open), SQLITE_ROW);
    return dead_letter("no");
  });
}

TEST_F(BadHandler, WhoseSqlEndsTheWholeTransactionFailsAlone) {
  open_store(file)->transact([](Transaction& tx) { tx.exec("CREATE TABLE one (id INTEGER PRIMARY KEY)"); });
  const ParkedMessage message = expect_parked([](Transaction& tx) {
    tx.exec("INSERT INTO one VALUES (1)");
    tx.exec("INSERT OR ROLLBACK INTO one VALUES (1)");
    return done();
  });
  EXPECT_EQ(message.reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(value_in(file, "SELECT count(*) FROM one"), "0");
}

TEST_F(BadHandler, ThatGoesOnWritingAfterTheTransactionEndedWritesNothing) {
  open_store(file)->transact([](Transaction& tx) { tx.exec("CREATE TABLE one (id INTEGER PRIMARY KEY)"); });
  expect_parked([](Transaction& tx) {
    tx.exec("INSERT INTO one VALUES (1)");
    for (int i = 0; i < 2; ++i) try {
        tx.exec("INSERT OR ROLLBACK INTO one VALUES (1)");
        tx.exec("INSERT INTO effects (id) VALUES ('outside')");
      } catch (const TransactionError&) {
      }
    return done();
  });
  EXPECT_EQ(value_in(file, "SELECT count(*) FROM one"), "0");
}

TEST_F(BadHandler, ThatEndsTheTransactionByTheNativeHandleLosesNothing) {
  open_store(file)->transact([](Transaction& tx) {
    tx.exec("CREATE TABLE one (id INTEGER PRIMARY KEY)");
    tx.exec("INSERT INTO one VALUES (1)");
  });
  expect_parked([](Transaction& tx) {
    auto* db = static_cast<sqlite3*>(tx.native_handle());
    sqlite3_exec(db, "INSERT OR ROLLBACK INTO one VALUES (1)", nullptr, nullptr, nullptr);
    sqlite3_exec(db, "INSERT INTO effects (id) VALUES ('outside')", nullptr, nullptr, nullptr);
    return done();
  });
}

// --- Objects kept for too long
// ------------------------------------------------------------------------------------------

TEST_F(BadHandler, ThatKeepsTheTransactionCannotUseItAfterwards) {
  auto store = open_store(file);
  MemorySource source(log);
  std::atomic<Transaction*> kept{nullptr};
  Recorder handler([&](const Message& message, Transaction& tx) -> std::optional<Outcome> {
    if (message.id == "bad") kept = &tx;
    return std::nullopt;
  });
  sent.push_back("bad");
  Runtime runtime(quick());
  runtime.add(source, *store, handler);
  Background running(runtime);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THROW(kept.load()->exec("INSERT INTO effects (id) VALUES ('too late')"), TransactionError);
    EXPECT_THROW(kept.load()->native_handle(), TransactionError);
    EXPECT_THROW(kept.load()->query<int>("SELECT 1"), TransactionError);
  }
  send("later");
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadHandler, ThatUsesTheTransactionOnAThreadOfItsOwnIsTold) {
  const Life life = catch_up(with_bad([](Transaction& tx) {
    std::thread([&tx] {
      EXPECT_THROW(tx.exec("INSERT INTO effects (id) VALUES ('elsewhere')"), TransactionError);
    }).join();
    return done();
  }));
  expect_done(life, 1);
}

// --- Not coming back
// ----------------------------------------------------------------------------------------------------

TEST_F(BadHandler, ThatHangsPastTheDrainDeadlineCostsNoMessage) {
  Gate gate;
  std::atomic<int> hanging{0}, returned{0};
  sent.push_back("bad");
  auto store = open_store(file);
  auto source = std::make_unique<MemorySource>(log);
  Recorder handler([&](const Message& message, Transaction&) -> std::optional<Outcome> {
    if (message.id != "bad") return std::nullopt;
    ++hanging;
    gate.pass();
    ++returned;
    return std::nullopt;
  });
  {
    RuntimeOptions options = quick();
    options.drain_timeout = 100ms;
    Runtime runtime(options);
    runtime.add(*source, *store, handler);
    Background running(runtime);
    ASSERT_TRUE(eventually([&] { return hanging == 1; }));
    const Exit exit = running.stop();
    EXPECT_EQ(exit.reason, ExitReason::drain_timeout);
    EXPECT_EQ(static_cast<int>(exit), 1);
    EXPECT_NE(exit.detail, "");
  }
  source.reset();
  EXPECT_NE(balance(), balanced);
  EXPECT_FALSE(committed_to_the_end());
  gate.open();  // it comes to after its runtime has gone, and may still write
  ASSERT_TRUE(eventually([&] { return returned == 1; }));
  store.reset();
  store = open_store(SqliteOptions{.path = file.string(), .wait_for_owner = 60s});
  store.reset();
  const Life life = catch_up();
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadHandler, ThatHangsBeyondItsDeadlineIsNamedAndTheOthersGoOn) {
  Gate gate;
  sent.push_back("bad");
  auto store = open_store(file);
  MemorySource source(log);
  Recorder handler([&](const Message& message, Transaction&) -> std::optional<Outcome> {
    if (message.id == "bad") gate.pass();
    return std::nullopt;
  });
  RuntimeOptions options = quick();
  options.handler_deadline = 50ms;
  Runtime runtime(options);
  runtime.add(source, *store, handler);
  Background running(runtime);
  ASSERT_TRUE(eventually([&] { return runtime.health().level == Health::Level::yellow; }));
  EXPECT_EQ(runtime.counters().overdue, 1u);
  ASSERT_EQ(runtime.health().reasons.size(), 1u);
  EXPECT_NE(runtime.health().reasons[0].find("topic=memory partition=0 offset=10 "), std::string::npos);
  for (int i = 0; i < 10; ++i) send("other" + std::to_string(i), "payload", 1);
  EXPECT_TRUE(eventually([&] { return committed_to_the_end(1); }));
  EXPECT_FALSE(committed_to_the_end(0));
  gate.open();
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(eventually([&] { return runtime.health().level == Health::Level::green; }));
  EXPECT_EQ(runtime.counters().overdue, 0u);
  EXPECT_TRUE(running.stop().ok());
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadHandler, ThatCallsExitEndsTheProcessAndLosesNothing) {
  sent.push_back("bad");
  EXPECT_EXIT(catch_up(with_bad([](Transaction&) -> Outcome { std::exit(7); })), testing::ExitedWithCode(7),
              "");
  const Life life = catch_up();
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadHandler, ThatCrashesTheProcessLosesNothing) {
  sent.push_back("bad");
  EXPECT_EXIT(catch_up(with_bad([](Transaction&) -> Outcome {
                raise(SIGKILL);
                return done();
              })),
              testing::KilledBySignal(SIGKILL), "");
  const Life life = catch_up();
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadHandler, ThatStopsTheRuntimeIsFinishedAndNothingIsLost) {
  sent.push_back("bad");
  {
    auto store = open_store(file);
    MemorySource source(log);
    Runtime* itself = nullptr;
    Recorder handler([&](const Message& message, Transaction&) -> std::optional<Outcome> {
      if (message.id == "bad") itself->stop();
      return std::nullopt;
    });
    Runtime runtime(quick());
    itself = &runtime;
    runtime.add(source, *store, handler);
    EXPECT_EQ(runtime.run().reason, ExitReason::stopped);
    EXPECT_EQ(effects().size(), static_cast<std::size_t>(log.committed(0)->first));
  }
  EXPECT_TRUE(catch_up().exit.ok());
  EXPECT_EQ(balance(), balanced);
}

TEST_F(BadHandler, FactoriesThatMakeNoHandlerAreRefused) {
  auto store = open_store(file);
  MemorySource source(log);
  Runtime runtime(quick());
  runtime.add(source, *store, [] { return std::unique_ptr<Handler>(); });
  EXPECT_THROW((void)runtime.run_until_caught_up(), std::invalid_argument);
}

}  // namespace
}  // namespace idem::test
