// What is remembered, for how long, and what is said of messages that may be copies of something forgotten.
#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class RetentionTest : public SqliteTest {
 protected:
  static constexpr Timestamp start{hours(24 * 365 * 50)};

  Item& item_of(const std::string& topic, const std::string& id, Timestamp time) {
    Item& made = items_.emplace_back(topic, 0, id);
    made.record.time = time;
    return made;
  }
  Seen seen(const std::string& topic, const std::string& id, Timestamp time) {
    return look_up(item_of(topic, id, time));
  }
  void process(const std::string& topic, const std::string& id, Timestamp time) {
    Item& i = item_of(topic, id, time);
    ASSERT_EQ(run(i), Joined::joined) << id;
    session_->yield();
    ASSERT_TRUE(durable(i));
  }
  std::int64_t count(const std::string& table) {
    std::int64_t rows = 0;
    store_->transact([&](Transaction& tx) { rows = *tx.query_value<std::int64_t>("SELECT count(*) FROM " + table); });
    return rows;
  }
  std::int64_t id_tables() { return count("sqlite_schema WHERE type = 'table' AND name LIKE 'idem_ids_%'"); }
};

TEST_F(RetentionTest, ids_are_forgotten_a_generation_at_a_time) {
  // One id an hour for three retentions.
  for (int h = 0; h < 24; ++h) {
    const Timestamp now = start + hours(h);
    ledger_->advance(now);
    process("topic", std::to_string(h), now);
    EXPECT_LE(id_tables(), 10);
  }
  const Timestamp end = start + hours(23);
  for (int h = 0; h < 24; ++h) {
    const Timestamp then = start + hours(h);
    const Seen s = seen("topic", std::to_string(h), then);
    const bool must_be_known = then > end - retention_;
    const bool must_be_forgotten = then <= end - retention_ - retention_ / 8;
    EXPECT_TRUE(s == Seen::duplicate || !must_be_known) << h;
    EXPECT_TRUE(s == Seen::undecidable || !must_be_forgotten) << h;
    EXPECT_NE(s, Seen::fresh) << h << ": nothing old may look new";
  }
}

TEST_F(RetentionTest, an_outage_forgets_nothing) {
  ledger_->advance(start);
  process("topic", "before", start);
  reopen();  // ten days later by the wall clock, which nobody reads
  EXPECT_EQ(seen("topic", "before", start), Seen::duplicate);
  // The backlog of those ten days is read in order, and its oldest messages are not too old.
  ledger_->advance(start + milliseconds(1));
  EXPECT_EQ(seen("topic", "backlog", start + milliseconds(1)), Seen::fresh);
}

TEST_F(RetentionTest, a_clock_that_jumps_back_forgets_nothing) {
  ledger_->advance(start);
  process("topic", "id", start);
  ledger_->advance(start - hours(24 * 365));
  EXPECT_EQ(ledger_->stream_time(), start);
  EXPECT_EQ(seen("topic", "id", start), Seen::duplicate);
}

TEST_F(RetentionTest, a_message_from_the_future_is_remembered_longer_and_nothing_else_shorter) {
  ledger_->advance(start);
  process("topic", "now", start);
  process("topic", "future", start + 20 * retention_);  // its time; stream time has not moved
  ledger_->advance(start + retention_ / 2);
  EXPECT_EQ(seen("topic", "now", start), Seen::duplicate);
  ledger_->advance(start + 2 * retention_);
  EXPECT_EQ(seen("topic", "now", start), Seen::duplicate) << "kept with the one it shares a generation with";
  EXPECT_EQ(seen("topic", "future", start + 20 * retention_), Seen::duplicate);
  EXPECT_EQ(seen("topic", "new", start + 2 * retention_), Seen::fresh);
}

TEST_F(RetentionTest, the_first_read_of_old_history_parks_nothing) {
  for (int h = 0; h < 100; ++h) {
    const Timestamp then = start - hours(24 * 365) + hours(h);
    ledger_->advance(then);
    ASSERT_EQ(seen("topic", "id" + std::to_string(h), then), Seen::fresh) << h;
    process("topic", "id" + std::to_string(h), then);
  }
}

TEST_F(RetentionTest, a_topic_added_later_brings_its_whole_history) {
  ledger_->advance(start);
  process("old topic", "a", start);
  ledger_->advance(start + 3 * retention_);
  EXPECT_EQ(seen("old topic", "a", start), Seen::undecidable);
  EXPECT_EQ(seen("new topic", "b", start - hours(24 * 365)), Seen::fresh);
  process("new topic", "b", start - hours(24 * 365));
}

TEST_F(RetentionTest, the_horizon_is_per_topic_and_survives_a_restart) {
  ledger_->advance(start);
  process("one", "a", start);
  ledger_->advance(start + retention_ / 4);
  process("two", "b", start + retention_ / 4);
  ledger_->advance(start + retention_ + retention_ / 8);
  look_up(item("any"));
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(seen("one", "x", start), Seen::undecidable);
    EXPECT_EQ(seen("two", "x", start), Seen::fresh) << "of this topic nothing was forgotten yet";
    EXPECT_EQ(seen("two", "b", start + retention_ / 4), Seen::duplicate);
    reopen();
  }
}

TEST_F(RetentionTest, an_undecidable_message_that_was_parked_is_known_from_then_on) {
  ledger_->advance(start);
  process("topic", "a", start);
  ledger_->advance(start + 3 * retention_);
  Item& i = item_of("topic", "a", start);
  ASSERT_EQ(look_up(i), Seen::undecidable);
  ASSERT_EQ(session_->finish(i.record, parked(ParkReason::undecidable)), Joined::joined);
  EXPECT_EQ(seen("topic", "a", start), Seen::duplicate);
}

TEST_F(RetentionTest, a_generation_without_ids_is_not_replaced) {
  for (int h = 0; h < 50; ++h) {
    ledger_->advance(start + hours(h));
    look_up(item("nobody"));
  }
  EXPECT_EQ(count("sqlite_schema WHERE name = 'idem_ids_1'"), 1);
  EXPECT_EQ(id_tables(), 1);
}

TEST_F(RetentionTest, an_id_added_before_the_generation_changed_is_still_seen_by_finish) {
  ledger_->advance(start);
  process("topic", "warm up", start);
  auto other = ledger_->session(settled_);
  Item& late = item_of("topic", "id", start);
  ASSERT_EQ(look_up(*other, late), Seen::fresh);
  process("topic", "id", start);
  ledger_->advance(start + retention_ / 2);
  ASSERT_EQ(look_up(item("begins a generation")), Seen::fresh);
  ASSERT_EQ(id_tables(), 2);
  effect(other->begin(late.record), "id");
  EXPECT_EQ(other->finish(late.record, {}), Joined::duplicate);
  other->yield();
  EXPECT_EQ(effects(), (Names{"id", "warm up"}));
}

TEST_F(RetentionTest, what_a_lost_group_had_noted_is_taken_back) {
#ifdef IDEM_FAILPOINTS
  ledger_->advance(start);
  process("topic", "a", start);
  failpoint::arm("store.commit_refused:error");
  Item& i = item_of("lost topic", "b", start + hours(1));
  ASSERT_EQ(run(i), Joined::joined);
  session_->yield();
  ASSERT_TRUE(lost(i));
  ledger_->advance(start + retention_);
  EXPECT_THROW(look_up(item("told once why")), StoreError);
  EXPECT_EQ(seen("topic", "x", start), Seen::undecidable);
  EXPECT_EQ(seen("topic", "x", start + hours(1)), Seen::fresh);
  EXPECT_EQ(seen("lost topic", "x", start), Seen::fresh);
#else
  GTEST_SKIP() << "built without failpoints";
#endif
}

}  // namespace
}  // namespace idem::test
