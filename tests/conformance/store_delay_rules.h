// Rules S13, S14 and L5: messages that the store keeps and that come back when they are due.
#pragma once

#include "store_place.h"

namespace idem::conformance {

TEST_P(StoreSuite, S13_what_is_delayed_is_there_when_it_is_due_also_after_a_restart) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, "late"), 20);
  delay(item(1, "early"), 10);
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_TRUE(due_at(9).empty());
    EXPECT_EQ(all_due_at(9).next_due, at(10));
    ASSERT_EQ(due_at(10).size(), 1u);
    EXPECT_EQ(due_at(10)[0].id, "early");
    EXPECT_EQ(all_due_at(10).next_due, at(20));
    ASSERT_EQ(due_at(20).size(), 2u);
    EXPECT_EQ(due_at(20)[0].id, "early");
    EXPECT_EQ(due_at(20)[1].id, "late");
    EXPECT_EQ(all_due_at(20).next_due, std::nullopt);
    EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 2) << "the broker may be told";
    EXPECT_EQ(look_up(unplaced("late")), Seen::duplicate) << "a copy, meanwhile";
    reopen();
  }
}

TEST_P(StoreSuite, S13_a_delayed_message_is_kept_whole) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  Item& i = item(7, "id");
  i.key = std::string("k\0ey", 4);
  i.message.key = i.key;
  i.payload = std::string("p\xff\0", 3);
  i.message.payload = i.payload;
  i.headers = {{"a", "1"}, {"a", "2"}, {"empty", ""}, {"null", std::nullopt}};
  i.message.headers = i.headers;
  ASSERT_EQ(look_up(i), Seen::fresh);
  Conclusion conclusion = until(1);
  conclusion.maybe_called = true;
  finish(i, conclusion);
  Item& bare = item(8, "bare");
  bare.message.payload.reset();
  bare.message.timestamp.reset();
  delay(bare, 2);
  reopen();
  const auto kept = due_at(2);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].partition, (PartitionRef{"topic", 0}));
  EXPECT_EQ(kept[0].offset, 7);
  EXPECT_EQ(kept[0].key, i.key);
  EXPECT_EQ(kept[0].payload, i.payload);
  ASSERT_EQ(kept[0].headers.size(), 4u);
  EXPECT_EQ(kept[0].headers[1], (std::pair<std::string, std::optional<std::string>>("a", "2")));
  EXPECT_EQ(kept[0].headers[2].second, "");
  EXPECT_EQ(kept[0].headers[3].second, std::nullopt);
  EXPECT_EQ(kept[0].timestamp, i.message.timestamp);
  EXPECT_EQ(kept[0].id, "id");
  EXPECT_EQ(kept[0].why, "not yet");
  EXPECT_EQ(kept[0].attempts, 2);
  EXPECT_EQ(kept[0].due, at(1));
  EXPECT_TRUE(kept[0].maybe_called);
  EXPECT_EQ(kept[1].key, std::nullopt);
  EXPECT_EQ(kept[1].payload, std::nullopt);
  EXPECT_EQ(kept[1].timestamp, std::nullopt);
  EXPECT_FALSE(kept[1].maybe_called);
}

TEST_P(StoreSuite, S13_a_delay_whose_group_failed_is_not_there) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  Item& i = item(0, "id");
  ASSERT_EQ(look_up(i), Seen::fresh);
  if (!place_->fail_next_commit()) GTEST_SKIP() << "this store cannot fail";
  ASSERT_EQ(session_->finish(i.record, until(1)), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(i.record.token, false));
  try {
    (void)look_up(unplaced("id"));  // says once why the group was lost
  } catch (const StoreError&) {
  }
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_TRUE(due_at(1).empty());
    EXPECT_EQ(look_up(unplaced("id")), Seen::fresh);
    EXPECT_EQ(look_up(item(0, "id")), Seen::fresh);
    reopen();
  }
}

TEST_P(StoreSuite, S13_of_two_records_of_an_id_one_is_delayed) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  Item& first = unplaced("id", "topic");
  Item& second = unplaced("id", "topic");
  for (Item* i : {&first, &second}) ASSERT_EQ(look_up(*i), Seen::fresh);
  finish(first, until(1));
  EXPECT_EQ(session_->finish(second.record, until(1)), Joined::duplicate);
  EXPECT_EQ(due_at(1).size(), 1u);
}

TEST_P(StoreSuite, S14_what_has_come_back_is_done_once_with_its_effect) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, "id"), 1);
  Item& back = returned_at(1);
  Item& twice = returned_at(1);
  ASSERT_EQ(look_up(back), Seen::fresh) << "its id is remembered, by itself";
  ASSERT_EQ(look_up(twice), Seen::fresh);
  ASSERT_EQ(run(back), Joined::joined);
  EXPECT_EQ(run(twice), Joined::duplicate);
  EXPECT_EQ(look_up(twice), Seen::duplicate);
  finish(twice, skipped());
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(effects(), Names{"id"});
    EXPECT_TRUE(due_at(1).empty());
    EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
    reopen();
  }
}

TEST_P(StoreSuite, S14_whose_end_was_lost_comes_back_again) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, "id"), 1);
  Item& back = returned_at(1);
  ASSERT_EQ(look_up(back), Seen::fresh);
  if (!place_->fail_next_commit()) GTEST_SKIP() << "this store cannot fail";
  ASSERT_EQ(run(back), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(back.record.token, false));
  try {
    (void)look_up(back);  // says once why the group was lost
  } catch (const StoreError&) {
  }
  reopen();
  EXPECT_TRUE(effects().empty());
  ASSERT_EQ(due_at(1).size(), 1u);
  process(returned_at(1));
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_P(StoreSuite, S14_whose_handler_failed_is_still_to_come_back) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, "first"), 1);
  delay(item(1, "second"), 2);
  Item& first = returned(due_at(2)[0]);
  Item& second = returned(due_at(2)[1]);
  const Record* records[] = {&first.record, &second.record};
  Seen seen[2];
  session_->look_up(records, seen);
  ASSERT_EQ(run(first), Joined::joined);
  place_->write_effect(session_->begin(second.record), "second");
  const Joined undone = session_->roll_back();
  if (undone == Joined::again) {
    ASSERT_EQ(session_->taken_back(), 1u);
    ASSERT_EQ(run(first), Joined::joined);
  }
  session_->yield();
  ASSERT_TRUE(settled_as(first.record.token, true));
  EXPECT_EQ(effects(), Names{"first"});
  ASSERT_EQ(due_at(2).size(), 1u);
  EXPECT_EQ(due_at(2)[0].id, "second");
}

TEST_P(StoreSuite, S14_it_may_be_delayed_again_and_parked_in_the_end) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, "id"), 1);
  Item& back = returned_at(1);
  ASSERT_EQ(look_up(back), Seen::fresh);
  Conclusion later = until(5);
  later.attempts = 3;
  finish(back, later);
  reopen();
  EXPECT_TRUE(due_at(4).empty());
  ASSERT_EQ(due_at(5).size(), 1u);
  EXPECT_EQ(due_at(5)[0].attempts, 3);
  Item& last = returned_at(5);
  ASSERT_EQ(look_up(last), Seen::fresh);
  finish(last, parked(ParkReason::attempts_exhausted));
  reopen();
  EXPECT_TRUE(due_at(5).empty());
  ASSERT_EQ(ledger_->parked().size(), 1u);
  EXPECT_EQ(ledger_->parked()[0].id, "id");
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
}

TEST_P(StoreSuite, S14_without_an_id_it_is_known_by_its_number) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, ""), 1);
  process(returned_at(1));
  EXPECT_EQ(effects(), Names{""});
  reopen();
  EXPECT_TRUE(due_at(1).empty());
}

TEST_P(StoreSuite, S14_that_has_an_id_only_now_is_looked_up_like_any_other) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  delay(item(0, ""), 1);
  delay(item(1, ""), 1);
  process(item(2, "known"));
  auto kept = due_at(1);
  kept[0].id = "known";
  kept[1].id = "new";
  Item& copy = returned(kept[0]);
  ASSERT_EQ(look_up(copy), Seen::duplicate);
  finish(copy, skipped());
  process(returned(kept[1]));
  EXPECT_EQ(effects(), (Names{"known", "new"}));
  EXPECT_TRUE(due_at(1).empty());
  EXPECT_EQ(look_up(unplaced("new")), Seen::duplicate);
}

TEST_P(StoreSuite, S14_it_can_be_claimed_although_its_id_is_remembered) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  if (!place_->store().traits().claims) GTEST_SKIP() << "this store keeps no claims";
  delay(item(0, "id"), 1);
  claim(returned_at(1));
  reopen();
  Item& back = returned_at(1);
  EXPECT_EQ(look_up(back), Seen::claimed);
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate) << "a copy from the broker";
  ASSERT_EQ(run(back), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(back.record.token, true));
  reopen();
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
  EXPECT_TRUE(due_at(1).empty());
}

TEST_P(StoreSuite, L5_a_partition_is_asked_for_its_own_and_not_for_those_in_hand) {
  if (!place_->store().traits().delays) GTEST_SKIP() << "this store keeps no delays";
  for (int i = 0; i < 5; ++i) delay(item(i, std::to_string(i)), i);
  ledger_->open({"topic", 1});
  EXPECT_TRUE(ledger_->returning({"topic", 1}, at(9), 10, nobody).messages.empty());
  EXPECT_TRUE(ledger_->returning({"other", 0}, at(9), 10, nobody).messages.empty());
  const auto two = all_due_at(9, 2);
  ASSERT_EQ(two.messages.size(), 2u);
  EXPECT_EQ(two.next_due, at(2));
  const auto in_hand = [&](std::int64_t number) {
    return number == two.messages[0].number || number == two.messages[1].number;
  };
  const auto rest = ledger_->returning({"topic", 0}, at(3), 10, in_hand);
  ASSERT_EQ(rest.messages.size(), 2u);
  EXPECT_EQ(rest.messages[0].id, "2");
  EXPECT_EQ(rest.next_due, at(4));
}

}  // namespace idem::conformance
