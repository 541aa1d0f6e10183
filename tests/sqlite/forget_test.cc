// Ids that a person lets through again: once, whichever form they were remembered in, and never a copy too many.
#include <idem/parking_lot.h>

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include <idem/runtime.h>

#include "core/siphash.h"
#include "sqlite/connection.h"
#include "sqlite/schema.h"
#include "by_hand.h"
#include "sqlite_fixture.h"
#include "tests/runtime/fixture.h"

namespace idem::test {
namespace {

using std::chrono::hours;
using State = RememberedId::State;
const ByHand by_alice{.who = "alice", .why = "booked to the wrong account"};

struct Forget : SqliteTest {
  void SetUp() override {
    options_.ids_in_memory = 1'000;
    SqliteTest::SetUp();
  }

  Item& message(const std::string& id, std::uint64_t fingerprint = 1) {
    Item& made = item(id);
    made.record.id = core::siphash128(ledger_->hash_key(), id);
    made.record.fingerprint = fingerprint;
    return made;
  }
  /// Whatever is seen, but for duplicates.
  Joined handle(Item& i, std::optional<std::string_view> result = {}) {
    const Seen seen = look_up(i);
    EXPECT_TRUE(seen == Seen::fresh || seen == Seen::claimed) << i.id;
    effect(session_->begin(i.record), i.id);
    Conclusion conclusion;
    conclusion.result = result;
    return session_->finish(i.record, conclusion);
  }
  void done(const std::string& id, std::uint64_t fingerprint = 1, std::optional<std::string_view> result = {}) {
    ASSERT_EQ(handle(message(id, fingerprint), result), Joined::joined);
    session_->yield();
  }
  /// So many more, which fill the set and have it sealed.
  void remember_others(int count) {
    for (int n = 0; n < count; ++n) {
      ASSERT_EQ(handle(message("other " + std::to_string(++others_))), Joined::joined);
      if (n % 100 == 99) session_->yield();
    }
    session_->yield();
  }
  RememberedId forget(const std::string& id) {
    close();
    const RememberedId known = SqliteParkingLot(path()).forget("consumer", id, by_alice);
    open();
    return known;
  }
  State state(const std::string& id) { return SqliteParkingLot(path()).look_up("consumer", id).state; }
  Seen seen(const std::string& id, std::uint64_t fingerprint = 1) { return look_up(message(id, fingerprint)); }
  std::optional<std::string> result(const std::string& id) { return ledger_->ending(*message(id).record.id).result; }
  std::size_t effects_of(const std::string& id) {
    const Names all = effects();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), id));
  }
  std::string value(const std::string& sql) {
    sqlite::Connection connection({.path = path(), .access = sqlite::Connection::Settings::Access::reader});
    sqlite::Statement statement(connection, sql);
    auto rows = statement.rows();
    return rows.next() ? std::string(rows.text(0)) : "";
  }

 private:
  int others_ = 0;
};

TEST_F(Forget, the_next_message_of_the_id_is_handled_and_the_one_after_it_is_a_duplicate) {
  done("a", 1, "first");
  done("b", 1, "of b");
  EXPECT_EQ(forget("a").state, State::done);
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(state("a"), State::forgotten);
    EXPECT_EQ(seen("a"), Seen::claimed) << "and what was done may have been a call";
    EXPECT_EQ(seen("a", 7), Seen::claimed) << "whatever its content";
    EXPECT_EQ(result("a"), std::nullopt) << "it was the answer to what is forgotten";
    EXPECT_EQ(seen("b"), Seen::duplicate);
    EXPECT_EQ(result("b"), "of b");
    reopen();
  }
  done("a", 2);
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(state("a"), State::done);
    EXPECT_EQ(seen("a", 2), Seen::duplicate);
    EXPECT_EQ(seen("a", 1), Seen::conflict) << "with what was forgotten";
    EXPECT_EQ(result("a"), std::nullopt);
    reopen();
  }
  EXPECT_EQ(effects_of("a"), 2u);
}

TEST_F(Forget, of_two_messages_at_once_one_is_handled) {
  done("a");
  forget("a");
  auto other = ledger_->session(settled_);
  Item& first = message("a");
  Item& second = message("a");
  ASSERT_EQ(look_up(first), Seen::claimed);
  ASSERT_EQ(look_up(*other, second), Seen::claimed);
  effect(session_->begin(first.record), "a");
  ASSERT_EQ(session_->finish(first.record, {}), Joined::joined);
  effect(other->begin(second.record), "a");
  EXPECT_EQ(other->finish(second.record, {}), Joined::duplicate);
  other->yield();
  session_->yield();
  EXPECT_EQ(effects_of("a"), 2u) << "then and now";
}

TEST_F(Forget, what_is_rolled_back_or_lost_leaves_it_forgotten) {
  done("a");
  forget("a");
  Item& failed = message("a");
  ASSERT_EQ(look_up(failed), Seen::claimed);
  effect(session_->begin(failed.record), "a");
  ASSERT_EQ(session_->roll_back(), Joined::joined);
  EXPECT_EQ(seen("a"), Seen::claimed);
#ifdef IDEM_FAILPOINTS
  Item& lost_one = message("a");
  ASSERT_EQ(handle(lost_one), Joined::joined);
  failpoint::arm("store.commit_refused:error");
  session_->yield();
  ASSERT_TRUE(lost(lost_one));
  EXPECT_NE(refusal([&] { (void)seen("a"); }), "") << "why the group was lost, once";
#endif
  EXPECT_EQ(seen("a"), Seen::claimed);
  reopen();
  EXPECT_EQ(seen("a"), Seen::claimed);
  done("a");
  EXPECT_EQ(seen("a"), Seen::duplicate);
}

TEST_F(Forget, wherever_the_id_lies_the_newer_content_counts) {
  done("in a run");
  remember_others(3'500);
  done("in the tail");
  ASSERT_NE(value("SELECT count(*) FROM idem_id_run"), "0");
  for (const char* id : {"in a run", "in the tail"}) {
    ASSERT_EQ(forget(id).state, State::done) << id;
    done(id, 2);
  }
  const auto check = [&] {
    for (const char* id : {"in a run", "in the tail"}) {
      EXPECT_EQ(seen(id, 2), Seen::duplicate) << id;
      EXPECT_EQ(seen(id, 1), Seen::conflict) << id;
      EXPECT_EQ(state(id), State::done) << id;
    }
  };
  check();
  reopen();
  check();
  remember_others(3'500);  // now in runs, both times
  check();
  reopen();
  check();
  ASSERT_EQ(forget("in a run").state, State::done) << "again";
  EXPECT_EQ(seen("in a run"), Seen::claimed);
  EXPECT_EQ(seen("in the tail", 2), Seen::duplicate);
  EXPECT_EQ(seen("other 17"), Seen::duplicate);
}

TEST_F(Forget, retention_changes_nothing_of_it) {
  Item& old = message("a");
  const Timestamp begin = old.record.time;
  ledger_->advance(begin);
  ASSERT_EQ(handle(old, "old"), Joined::joined);
  session_->yield();
  forget("a");
  ledger_->advance(begin + 3 * hours(8));
  EXPECT_EQ(seen("a"), Seen::claimed) << "its generation is gone, and the old message is let through, not undecidable";
  EXPECT_EQ(seen("never seen"), Seen::undecidable);
  done("a", 2, "new");
  EXPECT_EQ(seen("a", 2), Seen::duplicate);
  EXPECT_EQ(result("a"), "new");
}

TEST_F(Forget, the_older_place_of_an_id_is_dropped_without_the_newer_one) {
  Item& old = message("a");
  const Timestamp begin = old.record.time;
  ledger_->advance(begin);
  ASSERT_EQ(handle(old, "old"), Joined::joined);
  session_->yield();
  forget("a");
  ledger_->advance(begin + hours(4));
  Item& again = message("a", 2);
  again.record.time = begin + hours(4);
  (void)seen("turns the generations over");
  ASSERT_EQ(handle(again, "new"), Joined::joined);
  session_->yield();
  EXPECT_NE(value("SELECT count(*) FROM idem_generation"), "1");
  ledger_->advance(begin + hours(9));
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(seen("a", 2), Seen::duplicate);
    EXPECT_EQ(result("a"), "new");
    reopen();
  }
  ledger_->advance(begin + hours(13));
  EXPECT_EQ(seen("a", 2), Seen::undecidable);
  EXPECT_EQ(result("a"), std::nullopt);
  EXPECT_EQ(value("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'idem!_results!_%' ESCAPE '!'"),
            value("SELECT count(*) FROM idem_generation"))
      << "what is forgotten is not kept in the file";
}

TEST_F(Forget, a_parked_id_is_let_through_and_its_message_stays_in_the_lot) {
  Item& dead = message("a");
  ASSERT_EQ(look_up(dead), Seen::fresh);
  ASSERT_EQ(session_->finish(dead.record, parked()), Joined::joined);
  session_->yield();
  EXPECT_TRUE(ledger_->ending(*dead.record.id).parked);
  EXPECT_EQ(forget("a").state, State::parked);
  EXPECT_EQ(seen("a"), Seen::claimed);
  EXPECT_EQ(ledger_->parked().size(), 1u);
  done("a");
  EXPECT_EQ(state("a"), State::done) << "what lies there is from before";
  EXPECT_FALSE(ledger_->ending(*dead.record.id).parked);
  close();
  EXPECT_EQ(SqliteParkingLot(path()).look_up("consumer", "a").parked, std::vector<std::int64_t>{1});
  EXPECT_EQ(SqliteParkingLot(path()).drop({.id = "a"}, by_alice), 1u);
  EXPECT_EQ(state("a"), State::done);
  open();
  EXPECT_FALSE(ledger_->ending(*dead.record.id).parked);
}

TEST_F(Forget, an_id_belongs_to_its_consumer) {
  done("a");
  auto of_another = store_->ledger({.consumer = "another", .retention = retention_});
  auto session = of_another->session(settled_);
  ASSERT_EQ(look_up(*session, message("a")), Seen::fresh);
  ASSERT_EQ(run(*session, message("a")), Joined::joined);
  session->yield();
  session.reset();
  of_another.reset();
  forget("a");
  EXPECT_EQ(seen("a"), Seen::claimed);
  session = (of_another = store_->ledger({.consumer = "another", .retention = retention_}))->session(settled_);
  EXPECT_EQ(look_up(*session, message("a")), Seen::duplicate);
}

TEST_F(Forget, an_external_handler_is_told_that_a_call_may_have_been_made) {
  class Caller final : public ExternalHandler {
   public:
    Outcome handle(const Message&, const Attempt& attempt) override {
      told.push_back(std::string(attempt.key) + (attempt.maybe_executed ? " again" : ""));
      return idem::done();
    }
    std::vector<std::string> told;
  } caller;
  MemoryLog log{"payments", 1};
  const auto run_all = [&] {
    MemorySource source(log);
    RuntimeOptions options = fast_options();
    options.workers = 1;
    options.retention = retention_;
    options.consumer = "consumer";
    Runtime runtime(options);
    runtime.add(source, *store_, caller);
    EXPECT_TRUE(runtime.run_until_caught_up().ok());
    return runtime.counters();
  };
  log.append(0, entry("a"));
  EXPECT_EQ(run_all().done, 1u);
  forget("a");
  EXPECT_EQ(run_all().done, 0u) << "the same message at the same offset is still a copy";
  log.append(0, entry("a"));
  log.append(0, entry("a"));
  EXPECT_EQ(run_all().done, 1u);
  ASSERT_EQ(caller.told.size(), 2u);
  EXPECT_EQ(caller.told[1], caller.told[0] + " again");
}

TEST_F(Forget, only_what_is_remembered_is_forgotten) {
  done("a");
  Item& called = message("claimed");
  ASSERT_EQ(look_up(called), Seen::fresh);
  ASSERT_EQ(session_->claim(called.record), Joined::joined);
  session_->yield();
  EXPECT_EQ(forget("claimed").state, State::claimed);
  EXPECT_EQ(forget("never seen").state, State::not_remembered);
  EXPECT_EQ(value("SELECT count(*) FROM idem_audit"), "0");
  EXPECT_EQ(state("claimed"), State::claimed);
  EXPECT_EQ(seen("a"), Seen::duplicate);
  EXPECT_EQ(forget("a").state, State::done);
  EXPECT_EQ(forget("a").state, State::forgotten) << "already";
  EXPECT_EQ(value("SELECT count(*) FROM idem_audit"), "1");
  EXPECT_NE(refusal([&] { close(), (void)SqliteParkingLot(path()).forget("consumr", "a", by_alice); }), "");
  EXPECT_THROW((void)SqliteParkingLot(path()).forget("consumer", "a", {.who = ""}), std::invalid_argument);
}

TEST_F(Forget, who_and_when_and_why_is_kept) {
  done("a");
  forget("a");
  EXPECT_EQ(value("SELECT who || ' ' || what || ': ' || why || ' ' || CAST(id AS TEXT) FROM idem_audit"),
            "alice forget: booked to the wrong account a");
  EXPECT_EQ(value("SELECT abs(at / 1000 - strftime('%s', 'now')) < 600 FROM idem_audit"), "1");
}

TEST_F(Forget, beside_the_service_it_is_refused) {
  done("a");
  const std::string why = refusal([&] { (void)SqliteParkingLot(path()).forget("consumer", "a", by_alice); });
  EXPECT_NE(why.find("is owned by process " + std::to_string(::getpid())), std::string::npos) << why;
  EXPECT_EQ(seen("a"), Seen::duplicate);
  EXPECT_EQ(state("a"), State::done);
}

#ifdef IDEM_FAILPOINTS
TEST_F(Forget, killed_in_the_middle_it_has_changed_nothing) {
  done("a", 1, "result");
  close();
  const pid_t child = ::fork();
  if (child == 0) {
    failpoint::arm("ids.forget:kill");
    (void)SqliteParkingLot(path()).forget("consumer", "a", by_alice);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  failpoint::arm("ids.forget:error");
  EXPECT_NE(refusal([&] { (void)SqliteParkingLot(path()).forget("consumer", "a", by_alice); }), "");
  EXPECT_EQ(value("SELECT count(*) FROM idem_audit"), "0");
  open();
  EXPECT_EQ(seen("a"), Seen::duplicate);
  EXPECT_EQ(result("a"), "result");
}
#endif

// --- Older files ------------------------------------------------------------------------------------------------------

TEST_F(Forget, a_file_of_schema_7_gets_results_and_can_forget) {
  done("a");
  Item& called = message("claimed", 3);
  ASSERT_EQ(look_up(called), Seen::fresh);
  ASSERT_EQ(session_->claim(called.record), Joined::joined);
  session_->yield();
  close();
  {
    sqlite::Connection connection({.path = path(), .cache_bytes = 1 << 20});
    connection.exec("DROP TABLE idem_results_1; ALTER TABLE idem_claim DROP COLUMN forgotten; "
                    "UPDATE idem_store SET schema_version = 7");
  }
  const std::string before = contents(path());
  EXPECT_EQ(state("a"), State::done) << "an older file is read as it is";
  EXPECT_EQ(state("claimed"), State::claimed);
  const std::string why = refusal([&] { (void)SqliteParkingLot(path()).forget("consumer", "a", by_alice); });
  EXPECT_NE(why.find("older idem (schema 7"), std::string::npos) << why;
  EXPECT_EQ(contents(path()), before);
#ifdef IDEM_FAILPOINTS
  failpoint::arm("store.migrate:error");
  EXPECT_NE(refusal([&] { open(); }), "");
  EXPECT_EQ(value("SELECT schema_version FROM idem_store"), "7") << "all of it or nothing";
  EXPECT_EQ(value("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'idem_results%'"), "0");
  close();
  failpoint::arm("");
#endif
  open();
  EXPECT_EQ(value("SELECT schema_version FROM idem_store"), std::to_string(sqlite::migrations().size()));
  EXPECT_EQ(seen("a"), Seen::duplicate);
  EXPECT_EQ(seen("claimed", 3), Seen::claimed);
  EXPECT_EQ(seen("claimed", 4), Seen::claim_conflict);
  EXPECT_EQ(result("a"), std::nullopt);
  done("b", 1, "in the generation that was there");
  EXPECT_EQ(result("b"), "in the generation that was there");
  EXPECT_EQ(forget("a").state, State::done);
  EXPECT_EQ(seen("a"), Seen::claimed);
}

}  // namespace
}  // namespace idem::test
