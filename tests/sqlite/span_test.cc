// Messages that share a savepoint: what happens to the others when one of them fails, and when they stop sharing it.
#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using fault_vfs::Fault;
using fault_vfs::Step;

class SpanTest : public SqliteTest {
 protected:
  void SetUp() override {
    options_.group_age = std::chrono::hours(1);
    SqliteTest::SetUp();
  }

  /// Looks them all up at once, as a worker does with its run.
  std::vector<Item*> look_up_all(int count) {
    std::vector<Item*> all;
    std::vector<const Record*> records;
    for (int n = 0; n < count; ++n) {
      all.push_back(&item_at(n, "id " + std::to_string(n)));
      records.push_back(&all.back()->record);
    }
    std::vector<Seen> seen(records.size());
    session_->look_up(records, seen);
    return all;
  }

  Joined write_and_finish(const Item& i) {
    effect(session_->begin(i.record), i.id);
    return session_->finish(i.record, {});
  }
  Joined write_and_fail(const Item& i) {
    effect(session_->begin(i.record), i.id);
    return session_->roll_back();
  }
  void join(const std::vector<Item*>& all, std::size_t from, std::size_t to) {
    for (std::size_t n = from; n < to; ++n) ASSERT_EQ(write_and_finish(*all[n]), Joined::joined) << n;
  }
};

TEST_F(SpanTest, spans_double_and_start_over_after_a_failure) {
  const auto all = look_up_all(11);
  join(all, 0, 6);  // 0 | 1 2 | 3 4 5
  EXPECT_EQ(write_and_fail(*all[6]), Joined::again);
  EXPECT_EQ(session_->taken_back(), 3u);
  join(all, 3, 6);  // one by one
  EXPECT_EQ(write_and_fail(*all[6]), Joined::joined) << "alone in its span";
  join(all, 7, 10);  // 7 | 8 9
  EXPECT_EQ(write_and_fail(*all[10]), Joined::joined) << "the first of its span";
  session_->yield();
  for (const std::size_t n : {0, 3, 5, 7, 9}) EXPECT_TRUE(durable(*all[n])) << n;
  EXPECT_EQ(settled_.now().size(), 9u);
  EXPECT_EQ(effects(), (Names{"id 0", "id 1", "id 2", "id 3", "id 4", "id 5", "id 7", "id 8", "id 9"}));
}

TEST_F(SpanTest, what_was_taken_back_is_known_nowhere) {
  const auto all = look_up_all(7);
  join(all, 0, 6);
  ASSERT_EQ(write_and_fail(*all[6]), Joined::again);
  session_->yield();
  reopen();
  EXPECT_EQ(effects(), (Names{"id 0", "id 1", "id 2"}));
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 3);
  for (int n = 0; n < 7; ++n)
    EXPECT_EQ(look_up(item("id " + std::to_string(n))), n < 3 ? Seen::duplicate : Seen::fresh) << n;
  EXPECT_EQ(settled_.now().size(), 3u);
}

TEST_F(SpanTest, a_handler_that_wrote_nothing_takes_nothing_back) {
  const auto all = look_up_all(7);
  join(all, 0, 6);
  session_->begin(all[6]->record);
  EXPECT_EQ(session_->roll_back(), Joined::joined);
  session_->yield();
  EXPECT_TRUE(durable(*all[5]));
}

TEST_F(SpanTest, the_longest_span_is_an_option) {
  options_.longest_span = 1;
  reopen();
  const auto all = look_up_all(7);
  join(all, 0, 6);
  EXPECT_EQ(write_and_fail(*all[6]), Joined::joined);
  options_.longest_span = 0;
  close();
  EXPECT_THROW(open(), std::invalid_argument);
}

TEST_F(SpanTest, what_another_session_has_seen_stays) {
  auto other = ledger_->session(settled_);
  const auto all = look_up_all(7);
  join(all, 0, 5);
  Item& copy = item("id 4");
  EXPECT_EQ(look_up(*other, copy), Seen::duplicate);
  join(all, 5, 6);
  EXPECT_EQ(write_and_fail(*all[6]), Joined::again);
  EXPECT_EQ(session_->taken_back(), 1u);
  EXPECT_EQ(other->finish(copy.record, skipped()), Joined::joined);
  session_->yield();
  other->yield();
  EXPECT_TRUE(durable(*all[4]));
  EXPECT_TRUE(durable(copy));
}

TEST_F(SpanTest, another_session_that_joins_is_not_taken_back) {
  auto other = ledger_->session(settled_);
  Item& others = item("other");
  ASSERT_EQ(look_up(*other, others), Seen::fresh);
  const auto all = look_up_all(8);
  join(all, 0, 5);
  effect(other->begin(others.record), others.id);
  ASSERT_EQ(other->finish(others.record, {}), Joined::joined);
  EXPECT_EQ(write_and_fail(*all[5]), Joined::joined);
  join(all, 6, 8);
  session_->yield();
  other->yield();
  EXPECT_TRUE(durable(others));
  EXPECT_TRUE(durable(*all[4]));
  EXPECT_EQ(effects().size(), 8u);
}

TEST_F(SpanTest, another_session_that_joins_without_writing_is_not_taken_back) {
  auto other = ledger_->session(settled_);
  Item& others = item("other");
  ASSERT_EQ(look_up(*other, others), Seen::fresh);
  const auto all = look_up_all(7);
  join(all, 0, 5);
  other->begin(others.record);
  ASSERT_EQ(other->finish(others.record, {}), Joined::joined);
  join(all, 5, 6);
  EXPECT_EQ(write_and_fail(*all[6]), Joined::again);
  EXPECT_EQ(session_->taken_back(), 1u) << "5 alone: the span ended where the other one joined";
  join(all, 5, 6);
  session_->yield();
  other->yield();
  EXPECT_TRUE(durable(others));
  EXPECT_TRUE(durable(*all[5]));
  EXPECT_EQ(look_up(others), Seen::duplicate);
}

TEST_F(SpanTest, an_id_that_got_in_meanwhile_takes_its_span_back) {
  options_.group_messages = 4;
  reopen();
  auto other = ledger_->session(settled_);
  Item& copy = item("id 6");
  ASSERT_EQ(look_up(*other, copy), Seen::fresh);
  const auto all = look_up_all(7);
  effect(other->begin(copy.record), "copy");
  ASSERT_EQ(other->finish(copy.record, {}), Joined::joined);
  join(all, 0, 3);  // ends the group
  join(all, 3, 6);
  EXPECT_EQ(write_and_finish(*all[6]), Joined::again);
  const std::size_t taken_back = session_->taken_back();
  ASSERT_GE(taken_back, 1u);
  join(all, 6 - taken_back, 6);
  EXPECT_EQ(write_and_finish(*all[6]), Joined::duplicate);
  session_->yield();
  other->yield();
  EXPECT_TRUE(durable(*all[5]));
  EXPECT_EQ(effects(), (Names{"copy", "id 0", "id 1", "id 2", "id 3", "id 4", "id 5"}));
}

TEST_F(SpanTest, a_group_that_commits_in_the_middle_ends_the_span) {
  options_.group_messages = 5;
  reopen();
  const auto all = look_up_all(8);
  join(all, 0, 5);
  EXPECT_TRUE(durable(*all[4]));
  join(all, 5, 7);
  EXPECT_EQ(write_and_fail(*all[7]), Joined::again);
  EXPECT_EQ(session_->taken_back(), 2u);
}

TEST_F(SpanTest, when_the_store_fails_under_a_handler_the_others_hear_that_nothing_is_there) {
  const auto all = look_up_all(7);
  join(all, 0, 6);
  Transaction& tx = session_->begin(all[6]->record);
  effect(tx, "id 6");
  // The scope is given up without a word, as after a StoreError that left the handler.
  EXPECT_EQ(session_->finish(all[6]->record, parked()), Joined::again) << "and so it can be told to run again";
  join(all, 3, 5);
  session_->begin(all[5]->record);
  effect(tx, "id 5");
  session_->yield();
  EXPECT_TRUE(durable(*all[4])) << "alone in its span, it went alone";
  EXPECT_EQ(effects(), (Names{"id 0", "id 1", "id 2", "id 3", "id 4"}));
}

TEST_F(SpanTest, a_scope_that_is_given_up_takes_the_group_with_it_if_its_span_has_others) {
  const auto all = look_up_all(7);
  join(all, 0, 6);
  effect(session_->begin(all[6]->record), "id 6");
  session_->yield();  // nobody is there to run 3, 4 and 5 again: the group tells them
  for (int n = 0; n < 6; ++n) EXPECT_TRUE(lost(*all[static_cast<std::size_t>(n)])) << n;
  EXPECT_TRUE(effects().empty());
}

}  // namespace
}  // namespace idem::test
