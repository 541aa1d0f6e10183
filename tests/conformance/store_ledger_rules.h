// Rules L1 to L4 and L6 of idem/store.h: what a Ledger promises.
#pragma once

#include "store_place.h"

namespace idem::conformance {

TEST_P(StoreSuite, L1_a_partition_opens_with_exactly_what_settled) {
  EXPECT_FALSE(ledger_->open({"topic", 1}).progress.started());
  Item& i = item(10, "id");
  i.record.from = 5;
  i.record.print = 99;
  process(i);
  process(item(20, "gap"));
  for (int restarts = 0; restarts < 2; ++restarts) {
    const Progress progress = ledger_->open({"topic", 0}).progress;
    ASSERT_EQ(progress.ranges().size(), 2u);
    EXPECT_EQ(progress.ranges()[0], (Progress::Range{5, 11, 10, 99}));
    EXPECT_EQ(progress.ranges()[1], (Progress::Range{20, 21, 20, 0}));
    EXPECT_EQ(ledger_->open({"topic", 0}).slot, ledger_->open({"topic", 0}).slot);
    reopen();
  }
}

TEST_P(StoreSuite, L1_a_gap_is_skipped_and_settles) {
  process(item(0, "id"));
  ledger_->skip(slot_, 1, 5, 4711, settled_);
  EXPECT_TRUE(settled_as(4711, true));
  reopen();
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 5);
}

TEST_P(StoreSuite, L2_reset_starts_over_and_keeps_the_ids) {
  process(item(100, "id"));
  ledger_->reset(slot_, Progress(7), "another cluster");
  for (int restarts = 0; restarts < 2; ++restarts) {
    const auto opened = ledger_->open({"topic", 0});
    EXPECT_EQ(opened.progress, Progress(7));
    EXPECT_EQ(opened.origin, "another cluster");
    EXPECT_EQ(look_up(item(100, "")), Seen::fresh);
    EXPECT_EQ(look_up(item(100, "id")), Seen::duplicate);
    reopen();
  }
}

TEST_P(StoreSuite, L3_an_id_is_remembered_for_the_retention_of_stream_time) {
  Item& old = unplaced("old");
  ledger_->advance(old.record.time);
  process(old);
  ledger_->advance(old.record.time + retention - std::chrono::milliseconds(1));
  EXPECT_EQ(look_up(unplaced("old")), Seen::duplicate);
  reopen();
  EXPECT_EQ(look_up(unplaced("old")), Seen::duplicate);
  ledger_->advance(old.record.time + retention);
  EXPECT_NE(look_up(unplaced("old")), Seen::duplicate) << "forgotten";
}

TEST_P(StoreSuite, L3_stream_time_never_goes_back_and_survives) {
  const Timestamp time{std::chrono::hours(1000)};
  ledger_->advance(time);
  ledger_->advance(time - std::chrono::hours(1));
  EXPECT_EQ(ledger_->stream_time(), time);
  reopen();
  EXPECT_EQ(ledger_->stream_time(), time);
}

TEST_P(StoreSuite, L4_what_was_forgotten_makes_the_old_messages_of_its_topics_undecidable) {
  Item& old = unplaced("old", "queue");
  ledger_->advance(old.record.time);
  process(old);
  ledger_->advance(old.record.time + 2 * retention);
  look_up(unplaced("any"));
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(look_up(unplaced("old", "queue")), Seen::undecidable);
    EXPECT_EQ(look_up(unplaced("never seen", "queue")), Seen::undecidable);
    Item& newer = unplaced("newer", "queue");
    newer.record.time += std::chrono::milliseconds(1);
    EXPECT_EQ(look_up(newer), Seen::fresh);
    EXPECT_EQ(look_up(unplaced("history", "a topic added later")), Seen::fresh);
    EXPECT_EQ(look_up(item(0, "")), Seen::fresh) << "known by position only";
    reopen();
  }
}

TEST_P(StoreSuite, L6_a_result_goes_with_its_id) {
  if (!keeps_results()) GTEST_SKIP() << "this store keeps no results";
  Item& old = unplaced("old");
  ledger_->advance(old.record.time);
  ASSERT_EQ(look_up(old), Seen::fresh);
  ASSERT_EQ(run(old, "result"), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(old.record.token, true));
  ledger_->advance(old.record.time + retention - std::chrono::milliseconds(1));
  ASSERT_EQ(look_up(unplaced("old")), Seen::duplicate);
  reopen();
  EXPECT_EQ(ending("old").result, "result");
  ledger_->advance(old.record.time + retention);
  ASSERT_NE(look_up(unplaced("old")), Seen::duplicate);
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(ending("old").result, std::nullopt);
    reopen();
  }
}

TEST_P(StoreSuite, the_same_ledger_for_the_same_consumer) {
  EXPECT_EQ(place_->store().ledger({.consumer = "consumer", .retention = retention}), ledger_);
  EXPECT_THROW((void)place_->store().ledger({.consumer = "consumer", .retention = 2 * retention}),
               std::invalid_argument);
  EXPECT_THROW((void)place_->store().ledger({.consumer = ""}), std::invalid_argument);
}

}  // namespace idem::conformance
