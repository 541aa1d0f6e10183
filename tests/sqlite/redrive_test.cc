// Redrive: from the parking lot back to the handler, once for each time that somebody asks for it.
#include <idem/external_handler.h>
#include <idem/parking_lot.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>

#include "runtime/failpoint.h"
#include "service_lives.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using State = RememberedId::State;
const ByHand by_alice{.who = "alice", .why = "the bank is back"};

class RedriveTest : public ServiceLives {
 protected:
  SqliteParkingLot lot() { return SqliteParkingLot(path()); }
  RememberedId remembered(const std::string& id) { return lot().look_up("test", id); }

  /// Sends the messages and parks them all.
  void park(const Names& ids) {
    for (const auto& id : ids) log.append(0, entry(id));
    live([](const Message&, Transaction&) { return dead_letter("no"); });
  }
  Names parked() { return sql("SELECT number FROM idem_parked ORDER BY number"); }
  Names returning() { return sql("SELECT CAST(id AS TEXT) FROM idem_returning ORDER BY number"); }
};

TEST_F(RedriveTest, a_message_is_handled_again_although_its_id_is_remembered_and_then_it_is_done) {
  park({"a", "b"});
  EXPECT_EQ(remembered("a").state, State::parked);
  const Redriven redriven = lot().redrive({.number = 1}, by_alice);
  EXPECT_EQ(redriven.messages, 1u);
  EXPECT_EQ(redriven.last_number, 1);
  EXPECT_EQ(parked(), Names{"2"});
  const RememberedId between = remembered("a");
  EXPECT_EQ(between.state, State::returning);
  EXPECT_EQ(between.redriven, std::vector<std::int64_t>{1});
  EXPECT_TRUE(between.returns_at.has_value());

  log.append(0, entry("a"));
  const Counters c = live([](const Message& message, Transaction& tx) {
    EXPECT_EQ(message.attempt, 1) << "attempts are counted anew";
    EXPECT_EQ(message.offset, 0);
    return write(message, tx);
  });
  EXPECT_EQ(c.returned, 1u);
  EXPECT_EQ(c.done, 1u) << "and not the copy that came from the broker";
  EXPECT_EQ(seen_effects, Names{"a"});
  EXPECT_EQ(remembered("a").state, State::done);
  EXPECT_EQ(live(write).returned, 0u);
  EXPECT_EQ(seen_effects, Names{"a"});
}

TEST_F(RedriveTest, it_is_audited_and_a_repeated_command_finds_nothing) {
  park({"a", "b", "c"});
  EXPECT_EQ(lot().redrive({.topic = "payments"}, by_alice).messages, 3u);
  EXPECT_EQ(lot().redrive({.topic = "payments"}, by_alice).messages, 0u);
  EXPECT_EQ(lot().redrive({.number = 2}, by_alice).messages, 0u) << "of what is not there any more";
  EXPECT_EQ(lot().redrive({.number = 77}, by_alice).messages, 0u) << "of what never was";
  // Two workers park them in whatever order.
  EXPECT_EQ(sql("SELECT parked FROM idem_audit ORDER BY parked"), (Names{"1", "2", "3"}));
  EXPECT_EQ(sql("SELECT who, why, what, reason, topic, partition, position, CAST(id AS TEXT) FROM idem_audit ORDER BY position"),
            (Names{"alice|the bank is back|redrive|dead_letter|payments|0|0|a",
                   "alice|the bank is back|redrive|dead_letter|payments|0|1|b",
                   "alice|the bank is back|redrive|dead_letter|payments|0|2|c"}));
  EXPECT_EQ(live(write).done, 3u);
  EXPECT_EQ(seen_effects, (Names{"a", "b", "c"}));
}

TEST_F(RedriveTest, what_fails_again_is_parked_again_and_is_another_generation_then) {
  park({"a"});
  for (const char* generation : {"1", "2", "3"}) {
    EXPECT_EQ(lot().redrive({.reason = ParkReason::dead_letter}, by_alice).messages, 1u);
    EXPECT_EQ(sql("SELECT redrive FROM idem_returning"), Names{generation});
    const Counters c = live([](const Message&, Transaction&) { return dead_letter("still no"); });
    EXPECT_EQ(c.parked, 1u);
    EXPECT_TRUE(returning().empty());
  }
  EXPECT_EQ(parked(), Names{"4"});
  EXPECT_EQ(remembered("a").redriven, (std::vector<std::int64_t>{3, 2, 1}));
}

TEST_F(RedriveTest, it_may_be_put_off_and_keeps_its_generation) {
  park({"a"});
  lot().redrive({.number = 1}, by_alice);
  EXPECT_EQ(live([](const Message&, Transaction&) { return retry_after(1h, "not yet"); }).delayed, 1u);
  EXPECT_EQ(sql("SELECT redrive, attempts FROM idem_returning"), Names{"1|1"});
  let_pass(2h);
  EXPECT_EQ(live(write).done, 1u);
  EXPECT_EQ(seen_effects, Names{"a"});
}

TEST_F(RedriveTest, a_part_at_a_time_and_not_faster_than_is_asked) {
  Names ids;
  for (int i = 0; i < 10; ++i) ids.push_back(std::to_string(i));
  park(ids);
  const Timestamp start{std::chrono::hours(24 * 365 * 100)};  // nothing is due in this test
  const Redriven first = lot().redrive({.topic = "payments"}, by_alice, {.limit = 4, .due = start, .per_second = 8});
  EXPECT_EQ(first.messages, 4u);
  EXPECT_EQ(first.last_number, 4);
  EXPECT_EQ(sql("SELECT due - " + std::to_string(start.time_since_epoch().count()) + " FROM idem_returning"),
            (Names{"0", "125", "250", "375"}));
  EXPECT_EQ(lot().redrive({.topic = "payments"}, by_alice, {.limit = 100}).messages, 6u);
  EXPECT_EQ(live(write).returned, 6u) << "the others are not due";
}

TEST_F(RedriveTest, the_running_service_gets_it_from_its_own_store) {
  park({"a", "b"});
  live_until(
      [&] {
        EXPECT_EQ(store_->redrive({.topic = "payments"}, by_alice).messages, 2u);
        wait_until([&] { return effects().size() == 2; });
      },
      write);
  EXPECT_EQ(seen_effects, (Names{"a", "b"}));
  EXPECT_TRUE(parked().empty());
}

TEST_F(RedriveTest, a_conflict_is_handled_when_a_person_says_so_and_is_not_parked_again) {
  log.append(0, entry("id", "ten"));
  log.append(0, entry("id", "eleven"));
  options.ordering = Ordering::by_partition;
  const auto write_payload = [](const Message& message, Transaction& tx) {
    effect(tx, std::string(message.text()));
    return done();
  };
  live(write_payload);
  EXPECT_EQ(lot().redrive({.reason = ParkReason::id_conflict}, by_alice).messages, 1u);
  log.append(0, entry("id", "eleven"));
  live(write_payload);
  EXPECT_EQ(seen_effects, (Names{"eleven", "ten"}));
  EXPECT_TRUE(parked().empty()) << "nor the copy of it";
}

TEST_F(RedriveTest, a_message_that_had_no_id_is_known_by_the_one_that_is_found_now) {
  MemoryLog::Entry nameless;
  nameless.payload = "p";
  nameless.headers = {{"number", "7"}};
  for (int i = 0; i < 2; ++i) log.append(0, nameless);  // the producer sent it twice
  live(write);
  EXPECT_EQ(parked().size(), 2u);
  EXPECT_EQ(lot().redrive({.reason = ParkReason::no_id}, by_alice).messages, 2u);
  EXPECT_EQ(live(write).parked, 2u) << "there is still none";
  options.identity = id_from_header("number");
  EXPECT_EQ(lot().redrive({.reason = ParkReason::no_id}, by_alice).messages, 2u);
  const Counters c = live(write);
  EXPECT_EQ(c.returned, 2u);
  EXPECT_EQ(c.done, 1u);
  EXPECT_EQ(c.received, 1u) << "the log's last record is read again at a start";
  EXPECT_EQ(c.duplicates, 2u);
  EXPECT_EQ(seen_effects, Names{"7"});
  EXPECT_TRUE(returning().empty());
}

// --- With a handler whose effect is elsewhere ---------------------------------------------------------------------

class Bank final : public ExternalHandler {
 public:
  Outcome handle(const Message&, const Attempt& attempt) override {
    std::lock_guard lock(mutex_);
    calls.emplace_back(attempt.key, attempt.maybe_executed);
    return calls.size() == 1 ? dead_letter("no") : done();
  }
  std::vector<std::pair<std::string, bool>> calls;

 private:
  std::mutex mutex_;
};

TEST_F(RedriveTest, a_call_that_may_have_been_made_before_says_so_under_the_same_key) {
  log.append(0, entry("a"));
  Bank bank;
  const auto one_life = [&] {
    open();
    MemorySource source(log);
    Runtime runtime(options);
    runtime.add(source, *store_, bank);
    EXPECT_TRUE(runtime.run_until_caught_up().ok());
    close();
  };
  one_life();
  EXPECT_EQ(lot().redrive({.number = 1}, by_alice).messages, 1u);
  one_life();
  one_life();
  ASSERT_EQ(bank.calls.size(), 2u);
  EXPECT_FALSE(bank.calls[0].second);
  EXPECT_TRUE(bank.calls[1].second);
  EXPECT_EQ(bank.calls[0].first, bank.calls[1].first);
}

// --- Cut off, and refused -----------------------------------------------------------------------------------------

#ifdef IDEM_FAILPOINTS
TEST_F(RedriveTest, a_command_that_is_killed_changes_nothing_and_is_given_again) {
  for (const char* place : {"parked.returning:kill@2", "parked.redrive:kill@3"}) {
    SCOPED_TRACE(place);
    log.append(0, entry(std::string("a of ") + place));
    park({std::string("b of ") + place, std::string("c of ") + place});
    const Names before = parked();
    ASSERT_EQ(before.size(), 3u);
    if (const pid_t child = ::fork(); child == 0) {
      failpoint::arm(place);
      lot().redrive({.topic = "payments"}, by_alice);
      ::_exit(0);
    } else {
      int status = 0;
      ::waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status)) << "the place was never reached";
    }
    EXPECT_EQ(parked(), before);
    EXPECT_TRUE(returning().empty());
    EXPECT_EQ(lot().redrive({.topic = "payments"}, by_alice).messages, 3u);
    EXPECT_EQ(live(write).done, 3u);
  }
  EXPECT_EQ(seen_effects.size(), 6u);
}

TEST_F(RedriveTest, one_that_fails_changes_nothing) {
  park({"a", "b"});
  failpoint::arm("parked.redrive:error@2");
  EXPECT_THROW(lot().redrive({.topic = "payments"}, by_alice), StoreError);
  EXPECT_EQ(parked().size(), 2u);
  EXPECT_TRUE(returning().empty());
  EXPECT_TRUE(sql("SELECT * FROM idem_audit").empty());
}
#endif

TEST_F(RedriveTest, is_refused_with_what_to_do) {
  park({"a"});
  EXPECT_THROW(lot().redrive({}, by_alice), std::invalid_argument);
  EXPECT_THROW(lot().redrive({.number = 1}, {}), std::invalid_argument);
  EXPECT_THROW(lot().redrive({.number = 1}, by_alice, {.limit = 0}), std::invalid_argument);
  EXPECT_THROW(lot().redrive({.consumer = "nobody"}, by_alice), StoreError);
  open();
  try {
    lot().redrive({.number = 1}, by_alice);
    ADD_FAILURE() << "beside its owner";
  } catch (const StoreError& e) {
    EXPECT_NE(std::string(e.what()).find("is owned by process"), std::string::npos) << e.what();
  }
  EXPECT_THROW(store_->redrive({}, by_alice), std::invalid_argument);
  close();
  EXPECT_EQ(parked(), Names{"1"});
}

}  // namespace
}  // namespace idem::test
