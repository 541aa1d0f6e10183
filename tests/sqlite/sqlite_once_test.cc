// idem::once on a file: what a crash, a lost commit and many threads leave of a request and its result. Worth running
// under ThreadSanitizer.
#include <idem/once.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "sqlite_fixture.h"
#include "tests/runtime/fixture.h"

namespace idem::test {
namespace {

using Kind = Once::Kind;

struct SqliteOnce : SqliteTest {
  Once book(const std::string& id, const OnceOptions& options = {}) {
    return once(*store_, "webhook", id, [&](Transaction& tx) {
      effect(tx, id);
      return done("booked as " + std::to_string(++number_));
    }, options);
  }
  /// A call that is told how earlier ones may have ended.
  Once call(const std::string& id) {
    return once(*store_, "webhook", id, [&](const Attempt& attempt) {
      told_.push_back(attempt.maybe_executed);
      return done("201");
    });
  }

  int number_ = 0;
  std::vector<bool> told_;
};

TEST_F(SqliteOnce, a_repeat_gets_the_result_also_from_the_next_process) {
  EXPECT_EQ(book("a").result, "booked as 1");
  for (int restarts = 0; restarts < 2; ++restarts) {
    const Once again = book("a");
    EXPECT_EQ(again.kind, Kind::duplicate);
    EXPECT_EQ(again.result, "booked as 1");
    reopen();
  }
  EXPECT_EQ(effects(), Names{"a"});
}

TEST_F(SqliteOnce, a_result_above_the_cap_leaves_nothing) {
  EXPECT_THROW((void)book("a", {.max_result_bytes = 3}), std::length_error);
  EXPECT_TRUE(effects().empty());
  EXPECT_EQ(book("a").kind, Kind::applied);
}

TEST_F(SqliteOnce, a_dead_letter_is_parked_and_told_from_what_is_done) {
  auto refuse = [&] { return once(*store_, "webhook", "a", [](Transaction&) { return dead_letter("no payment"); }); };
  EXPECT_EQ(refuse().kind, Kind::parked);
  reopen();
  EXPECT_EQ(refuse().kind, Kind::parked);
  EXPECT_EQ(book("a").kind, Kind::parked);
  EXPECT_TRUE(effects().empty());
}

#ifdef IDEM_FAILPOINTS
TEST_F(SqliteOnce, a_commit_that_failed_leaves_neither_effect_nor_result) {
  const auto kept_open = store_->ledger({"webhook"});
  failpoint::arm("store.commit_refused:error");
  EXPECT_THROW((void)book("a"), StoreError);
  EXPECT_TRUE(effects().empty());
  EXPECT_EQ(book("a").result, "booked as 2");
  EXPECT_EQ(book("a").result, "booked as 2");
}

TEST_F(SqliteOnce, a_commit_that_took_place_although_it_said_otherwise_counts) {
  const auto kept_open = store_->ledger({"webhook"});
  failpoint::arm("store.commit_lost:error");
  EXPECT_EQ(book("a").kind, Kind::applied);
  EXPECT_EQ(book("a").result, "booked as 1");
  EXPECT_EQ(effects(), Names{"a"});
}

TEST_F(SqliteOnce, a_call_whose_end_could_not_be_recorded_is_not_forgotten) {
  const auto kept_open = store_->ledger({"webhook"});
  failpoint::arm("store.commit_refused:error@2");  // the claim's commit is the first
  EXPECT_THROW((void)call("a"), StoreError);
  EXPECT_EQ(call("a").kind, Kind::applied);
  EXPECT_EQ(call("a").kind, Kind::duplicate);
  EXPECT_EQ(told_, (std::vector<bool>{false, true}));
}

TEST_F(SqliteOnce, a_result_that_cannot_be_written_takes_its_id_along) {
  Item& i = item("a");
  Conclusion conclusion;
  conclusion.result = "result";
  ASSERT_EQ(look_up(i), Seen::fresh);
  (void)session_->begin(i.record);  // and nothing is written through it
  failpoint::arm("store.result:error");
  EXPECT_THROW((void)session_->finish(i.record, conclusion), StoreError);
  ASSERT_EQ(look_up(i), Seen::fresh) << "it has not joined";
  (void)session_->begin(i.record);
  ASSERT_EQ(session_->finish(i.record, conclusion), Joined::joined);
  session_->yield();
  ASSERT_TRUE(durable(i));
  EXPECT_EQ(ledger_->ending(*i.record.id).result, "result");
}

TEST_F(SqliteOnce, a_handlers_result_outlives_the_group_it_was_lost_with) {
  class Caller final : public ExternalHandler {
   public:
    Outcome handle(const Message&, const Attempt&) override {
      failpoint::arm("store.commit_refused:error");  // the next commit is that of the end
      return done("201 to call " + std::to_string(++calls));
    }
    std::atomic<int> calls{0};
  } caller;
  MemoryLog log{"payouts", 1};
  log.append(0, entry("a"));
  MemorySource source(log);
  RuntimeOptions options = fast_options();
  options.consumer = "webhook";
  Runtime runtime(options);
  runtime.add(source, *store_, caller);
  EXPECT_TRUE(runtime.run_until_caught_up().ok());
  EXPECT_EQ(runtime.counters().not_applied, 1u);
  EXPECT_EQ(caller.calls, 1);
  EXPECT_EQ(book("a").result, "201 to call 1");
}

TEST_F(SqliteOnce, without_its_claim_no_call_is_made) {
  const auto kept_open = store_->ledger({"webhook"});
  failpoint::arm("store.commit_refused:error");
  EXPECT_THROW((void)call("a"), StoreError);
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(call("a").kind, Kind::applied);
  EXPECT_EQ(told_, std::vector<bool>{false});
}
#endif

TEST_F(SqliteOnce, after_a_death_in_the_call_the_next_one_says_so) {
  close();
  const pid_t child = ::fork();
  if (child == 0) {
    SqliteStore store(options_);
    (void)once(store, "webhook", "a", [](const Attempt&) -> Outcome { ::_exit(7); });
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  open();
  const Once answer = call("a");
  EXPECT_EQ(answer.kind, Kind::applied);
  EXPECT_EQ(answer.result, "201");
  EXPECT_EQ(told_, std::vector<bool>{true});
}

TEST_F(SqliteOnce, of_many_threads_one_calls_and_all_get_its_answer) {
  constexpr int threads = 4, ids = 40;
  std::atomic<int> calls = 0;
  std::mutex mutex;
  std::map<std::string, std::set<std::string>> answers;
  const auto kept_open = store_->ledger({"webhook"});
  std::vector<std::thread> callers;
  for (int t = 0; t < threads; ++t)
    callers.emplace_back([&, t] {
      for (int n = 0; n < ids; ++n) {
        const std::string id = std::to_string(n);
        const Once answer = once(*store_, "webhook", id, [&](const Attempt& attempt) {
          EXPECT_FALSE(attempt.maybe_executed) << id;
          ++calls;
          return done("answer to thread " + std::to_string(t));
        });
        EXPECT_TRUE(answer.kind == Kind::applied || answer.kind == Kind::duplicate);
        std::lock_guard lock(mutex);
        answers[id].insert(answer.result.value_or("none"));
      }
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(calls, ids);
  EXPECT_EQ(answers.size(), static_cast<std::size_t>(ids));
  for (const auto& [id, given] : answers) EXPECT_EQ(given.size(), 1u) << id;
}

}  // namespace
}  // namespace idem::test
