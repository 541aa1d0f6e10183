// The rules of OutboxTable (idem/outbox.h), each a test, for any store that has an outbox.
//
//   INSTANTIATE_TEST_SUITE_P(Mine, OutboxSuite, testing::Values(StoreFactory{…}), factory_name);
#pragma once

#include <atomic>

#include "store_place.h"

namespace idem::conformance {

class OutboxSuite : public StoreSuite {
 protected:
  OutboxTable& table() { return *place_->store().outbox(); }
  void open_destination(const std::string& name) {
    table().open(name, [this] { ++commits_; });
  }

  /// One message of a source, whose handler publishes these payloads.
  Joined publish(const Item& i, const std::string& to, const std::vector<std::string>& payloads) {
    EXPECT_EQ(look_up(i), Seen::fresh);
    Transaction& tx = session_->begin(i.record);
    for (const std::string& payload : payloads) tx.publish(to, {.key = "key", .payload = payload});
    return session_->finish(i.record, {});
  }
  void published(const Item& i, const std::string& to, const std::vector<std::string>& payloads) {
    ASSERT_EQ(publish(i, to, payloads), Joined::joined);
    session_->yield();
    ASSERT_TRUE(settled_as(i.record.token, true));
  }

  Names payloads(const std::string& destination, std::int64_t after = 0, std::size_t messages = 1'000,
                 std::size_t bytes = 1 << 20) {
    Names found;
    for (const auto& row : table().read(destination, after, messages, bytes))
      found.push_back(row.message.payload.value_or("(null)"));
    return found;
  }
  std::int64_t number_of(const std::string& destination, const std::string& payload) {
    for (const auto& row : table().read(destination, 0, 1'000, 1 << 20))
      if (row.message.payload == payload) return row.number;
    return -1;
  }
  /// So that what rides with the next commit has been committed.
  void commit_something() { process(unplaced("commit-" + std::to_string(++made_))); }

  std::atomic<int> commits_{0};
  int made_ = 0;
};

TEST_P(OutboxSuite, X1_only_a_name_that_was_opened_can_be_published_to) {
  const Item& i = unplaced("a");
  ASSERT_EQ(look_up(i), Seen::fresh);
  Transaction& tx = session_->begin(i.record);
  EXPECT_THROW(tx.publish("typo", {}), TransactionError);
  session_->roll_back();
  EXPECT_FALSE(table().is_open("to"));
  open_destination("to");
  EXPECT_TRUE(table().is_open("to"));
  EXPECT_THROW(open_destination("to"), std::logic_error) << "one relay for a name";
  published(unplaced("b"), "to", {"x"});
  EXPECT_EQ(commits_, 1);
  table().close("to");
  published(unplaced("c"), "to", {"y"});
  EXPECT_EQ(commits_, 1) << "nobody to be told";
  open_destination("to");
  EXPECT_EQ(payloads("to"), (Names{"x", "y"}));
}

TEST_P(OutboxSuite, X2_rows_are_seen_when_they_are_committed_in_that_order) {
  open_destination("to");
  open_destination("other");
  const Item &a = unplaced("a"), &b = unplaced("b"), &c = unplaced("c");
  ASSERT_EQ(look_up(a), Seen::fresh);
  session_->begin(a.record).publish("to", {.payload = "rolled back"});
  session_->roll_back();
  published(b, "to", {"1", "2"});
  published(c, "other", {"3"});
  published(unplaced("d"), "to", {"4"});
  EXPECT_EQ(payloads("to"), (Names{"1", "2", "4"}));
  EXPECT_EQ(payloads("other"), (Names{"3"}));
  EXPECT_EQ(payloads("to", number_of("to", "2")), (Names{"4"}));
  EXPECT_EQ(payloads("to", 0, 2), (Names{"1", "2"}));
  EXPECT_EQ(payloads("to", 0, 1'000, 1), (Names{"1"})) << "the first one whatever its size";
  reopen();
  EXPECT_EQ(payloads("to"), (Names{"1", "2", "4"})) << "after a restart";
}

TEST_P(OutboxSuite, X2_a_row_comes_back_as_it_was_written) {
  open_destination("to");
  const Item& i = unplaced("a");
  ASSERT_EQ(look_up(i), Seen::fresh);
  Transaction& tx = session_->begin(i.record);
  const std::string bytes("a\0b\xff", 4);
  EXPECT_EQ(tx.publish("to", {.key = bytes, .payload = bytes, .id = "my-id", .headers = {{"h", bytes}, {"none", {}}}}),
            "my-id");
  const std::string made = tx.publish("to", {.payload = std::nullopt});
  EXPECT_FALSE(made.empty());
  ASSERT_EQ(session_->finish(i.record, {}), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(i.record.token, true));
  const auto rows = table().read("to", 0, 10, 1 << 20);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].message.id, "my-id");
  EXPECT_EQ(rows[0].message.key, bytes);
  EXPECT_EQ(rows[0].message.payload, bytes);
  ASSERT_EQ(rows[0].message.headers.size(), 2u);
  EXPECT_EQ(rows[0].message.headers[0].second, bytes);
  EXPECT_EQ(rows[0].message.headers[1].second, std::nullopt);
  EXPECT_EQ(rows[1].message.id, made) << "fixed when it is written";
  EXPECT_EQ(rows[1].message.key, std::nullopt);
  EXPECT_EQ(rows[1].message.payload, std::nullopt);
}

TEST_P(OutboxSuite, X2_nothing_of_a_group_that_failed_is_seen) {
  open_destination("to");
  const Item& i = unplaced("a");
  if (!place_->fail_next_commit()) GTEST_SKIP() << "this store cannot fail";
  ASSERT_EQ(publish(i, "to", {"lost"}), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(i.record.token, false));
  EXPECT_EQ(payloads("to"), Names{});
  EXPECT_EQ(commits_, 0);
}

TEST_P(OutboxSuite, X3_what_was_removed_is_gone_with_the_next_commit) {
  open_destination("to");
  published(unplaced("a"), "to", {"1", "2", "3"});
  const std::int64_t numbers[] = {number_of("to", "1"), number_of("to", "3")};
  table().remove(numbers);
  commit_something();
  EXPECT_EQ(payloads("to"), (Names{"2"}));
  reopen();
  EXPECT_EQ(payloads("to"), (Names{"2"}));
}

TEST_P(OutboxSuite, X3_removing_needs_no_further_call_to_become_durable) {
  open_destination("to");
  published(unplaced("a"), "to", {"1"});
  const std::int64_t number = number_of("to", "1");
  table().remove({&number, 1});
  while (!payloads("to").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_P(OutboxSuite, X4_a_parked_row_is_listed_and_read_no_more) {
  open_destination("to");
  published(unplaced("a"), "to", {"1", "2"});
  const std::int64_t number = number_of("to", "1");
  table().park(number, "too large");
  EXPECT_EQ(payloads("to"), (Names{"2"}));
  reopen();
  EXPECT_EQ(payloads("to"), (Names{"2"}));
  const auto parked = table().parked(0, 10);
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].number, number);
  EXPECT_EQ(parked[0].destination, "to");
  EXPECT_EQ(parked[0].why, "too large");
  EXPECT_EQ(parked[0].message.payload, "1");
  EXPECT_TRUE(table().parked(number, 10).empty());
}

TEST_P(OutboxSuite, X5_what_waits_is_counted_by_name_opened_or_not) {
  open_destination("to");
  open_destination("other");
  published(unplaced("a"), "to", {"1", "2"});
  published(unplaced("b"), "other", {"3"});
  reopen();
  EXPECT_EQ(table().waiting(), (std::map<std::string, std::size_t>{{"other", 1}, {"to", 2}}));
}

TEST_P(OutboxSuite, a_parked_message_may_leave_a_dead_letter_in_its_own_transaction) {
  open_destination("dead");
  const Item& i = unplaced("a");
  ASSERT_EQ(look_up(i), Seen::fresh);
  Conclusion conclusion = parked(ParkReason::dead_letter);
  conclusion.publish_to = "dead";
  conclusion.dead_letter = {.payload = "letter", .id = "a"};
  ASSERT_EQ(session_->finish(i.record, conclusion), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(i.record.token, true));
  EXPECT_EQ(payloads("dead"), (Names{"letter"}));
  EXPECT_EQ(ledger_->parked(0, 10).size(), 1u);
}

}  // namespace idem::conformance
