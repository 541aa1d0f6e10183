// Rules S1 to S12 and S15 of idem/store.h: what a Session promises.
#pragma once

#include "store_place.h"

namespace idem::conformance {

TEST_P(StoreSuite, S1_an_id_that_was_finished_is_a_duplicate_also_after_a_restart) {
  process(unplaced("done"));
  Item& dead = unplaced("parked");
  ASSERT_EQ(look_up(dead), Seen::fresh);
  ASSERT_EQ(session_->finish(dead.record, parked(ParkReason::dead_letter)), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(dead.record.token, true));

  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(look_up(unplaced("done")), Seen::duplicate);
    EXPECT_EQ(look_up(unplaced("parked")), Seen::duplicate);
    EXPECT_EQ(look_up(unplaced("other")), Seen::fresh);
    reopen();
  }
}

TEST_P(StoreSuite, S1_an_id_belongs_to_its_consumer) {
  process(unplaced("id"));
  auto other = place_->store().ledger({.consumer = "another", .retention = retention});
  auto session = other->session(settled_);
  EXPECT_EQ(look_up(*session, unplaced("id")), Seen::fresh);
}

TEST_P(StoreSuite, S1_an_id_in_the_open_group_is_a_duplicate) {
  Item& first = unplaced("id");
  ASSERT_EQ(look_up(first), Seen::fresh);
  ASSERT_EQ(run(first), Joined::joined);
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
}

TEST_P(StoreSuite, S2_the_same_id_with_another_fingerprint_is_a_conflict) {
  process(unplaced("id"));
  Item& other = unplaced("id");
  other.record.fingerprint = 2;
  EXPECT_EQ(look_up(other), Seen::conflict);
  other.record.fingerprint = 0;
  EXPECT_EQ(look_up(other), Seen::duplicate) << "0 is not compared";
}

TEST_P(StoreSuite, S2_a_conflict_is_parked_once_and_the_id_stays_as_it_was) {
  process(unplaced("id"));
  for (int copies = 0; copies < 2; ++copies) {
    Item& other = unplaced("id");
    other.record.fingerprint = 2;
    ASSERT_EQ(look_up(other), Seen::conflict);
    ASSERT_EQ(session_->finish(other.record, parked(ParkReason::id_conflict)), Joined::joined);
    session_->yield();
    ASSERT_TRUE(settled_as(other.record.token, true));
  }
  EXPECT_EQ(ledger_->parked().size(), 1u);
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
}

TEST_P(StoreSuite, S3_a_finished_position_is_a_duplicate_whatever_its_id) {
  process(item(7, "id"));
  EXPECT_EQ(look_up(item(7, "another")), Seen::duplicate);
  EXPECT_EQ(look_up(item(8, "another")), Seen::fresh);
  reopen();
  EXPECT_EQ(look_up(item(7, "")), Seen::duplicate);
}

TEST_P(StoreSuite, S3_a_position_that_was_finished_since_look_up_is_not_done_again) {
  Item& first = item(7, "");
  Item& second = item(7, "");
  ASSERT_EQ(look_up(first), Seen::fresh);
  ASSERT_EQ(look_up(second), Seen::fresh);
  ASSERT_EQ(run(first), Joined::joined);
  EXPECT_EQ(run(second), Joined::duplicate);
  session_->yield();
  ASSERT_TRUE(settled_as(first.record.token, true));
  EXPECT_EQ(effects().size(), 1u);
}

TEST_P(StoreSuite, S4_a_record_without_id_at_an_unfinished_position_is_fresh) {
  process(item(3, "id"));
  EXPECT_EQ(look_up(item(4, "")), Seen::fresh);
  EXPECT_EQ(look_up(item(2, "")), Seen::fresh) << "below, but never finished";
}

TEST_P(StoreSuite, S5_effect_id_and_position_become_durable_together) {
  process(item(0, "a"));
  reopen();
  EXPECT_EQ(effects(), Names{"a"});
  EXPECT_EQ(look_up(unplaced("a", "topic")), Seen::duplicate);
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 1);
}

TEST_P(StoreSuite, S5_a_parked_message_is_kept_whole) {
  Item& dead = item(4, std::string("\0id\xff", 4));
  dead.key = std::string("k\0y", 3);
  dead.payload = "";
  dead.headers = {{"a", "1"}, {"a", ""}, {"none", std::nullopt}};
  dead.message.key = dead.key;
  dead.message.payload = dead.payload;
  dead.message.headers = dead.headers;
  ASSERT_EQ(look_up(dead), Seen::fresh);
  ASSERT_EQ(session_->finish(dead.record, parked(ParkReason::attempts_exhausted)), Joined::joined);
  Item& bare = item(5, "");
  bare.message.payload = std::nullopt;
  bare.message.timestamp = std::nullopt;
  ASSERT_EQ(session_->finish(bare.record, parked(ParkReason::no_id)), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(bare.record.token, true));
  reopen();

  const auto lot = ledger_->parked();
  ASSERT_EQ(lot.size(), 2u);
  EXPECT_EQ(lot[0].partition, (PartitionRef{"topic", 0}));
  EXPECT_EQ(lot[0].offset, 4);
  EXPECT_EQ(lot[0].id, dead.id);
  EXPECT_EQ(lot[0].key, dead.key);
  EXPECT_EQ(lot[0].payload, "");
  EXPECT_EQ(lot[0].timestamp, dead.message.timestamp);
  EXPECT_EQ(lot[0].reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(lot[0].why, "because");
  EXPECT_EQ(lot[0].attempts, 3);
  EXPECT_GT(lot[0].parked_at, Timestamp{});
  ASSERT_EQ(lot[0].headers.size(), 3u);
  EXPECT_EQ(lot[0].headers[1].second, "");
  EXPECT_EQ(lot[0].headers[2].second, std::nullopt);
  EXPECT_EQ(lot[1].payload, std::nullopt);
  EXPECT_EQ(lot[1].key, std::nullopt);
  EXPECT_EQ(lot[1].timestamp, std::nullopt);
  EXPECT_EQ(ledger_->parked(lot[0].number).size(), 1u);
  EXPECT_EQ(ledger_->parked(0, 1).size(), 1u);
  EXPECT_TRUE(effects().empty());
}

TEST_P(StoreSuite, S6_the_second_record_of_an_id_leaves_nothing) {
  Item& first = unplaced("id");
  Item& second = unplaced("id");
  const Record* both[] = {&first.record, &second.record};
  Seen seen[2];
  session_->look_up(both, seen);
  ASSERT_EQ(seen[1], Seen::fresh);
  ASSERT_EQ(run(first), Joined::joined);
  EXPECT_EQ(run(second), Joined::duplicate);
  EXPECT_EQ(look_up(second), Seen::duplicate);
  EXPECT_EQ(session_->finish(second.record, skipped()), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(second.record.token, true));
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_P(StoreSuite, S6_the_second_record_of_an_id_may_turn_out_to_be_a_conflict) {
  Item& first = unplaced("id");
  Item& second = unplaced("id");
  second.record.fingerprint = 2;
  ASSERT_EQ(look_up(first), Seen::fresh);
  ASSERT_EQ(look_up(second), Seen::fresh);
  ASSERT_EQ(run(first), Joined::joined);
  EXPECT_EQ(run(second), Joined::duplicate);
  EXPECT_EQ(look_up(second), Seen::conflict);
}

TEST_P(StoreSuite, S6_one_id_on_many_threads_has_one_effect) {
  constexpr int threads = 4, ids = 200;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      Settled settled;
      auto session = ledger_->session(settled);
      std::deque<Item> own;
      for (int n = 0; n < ids; ++n) {
        Item& i = own.emplace_back("queue", 0, "id" + std::to_string(n));
        Joined joined = Joined::duplicate;
        while (joined == Joined::duplicate)
          joined = look_up(*session, i) == Seen::fresh ? run(*session, i) : session->finish(i.record, skipped());
        EXPECT_EQ(joined, Joined::joined);
      }
      session->yield();
      EXPECT_EQ(settled.wait_for(ids).size(), static_cast<std::size_t>(ids));
    });
  for (auto& worker : workers) worker.join();
  Names expected;
  for (int n = 0; n < ids; ++n) expected.push_back("id" + std::to_string(n));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(effects(), expected);
}

TEST_P(StoreSuite, S7_every_joined_record_settles_exactly_once_and_what_settled_is_durable) {
  constexpr int count = 2'500;
  std::map<std::uint64_t, int> times;
  for (int n = 0; n < count; ++n) {
    Item& i = item(n, "id" + std::to_string(n));
    ASSERT_EQ(look_up(i), Seen::fresh);
    ASSERT_EQ(run(i), Joined::joined);
  }
  session_->yield();
  for (const Settlement& s : settled_.wait_for(count)) {
    EXPECT_TRUE(s.durable);
    ++times[s.token];
  }
  EXPECT_EQ(times.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(settled_.now().size(), static_cast<std::size_t>(count));
  EXPECT_EQ(effects().size(), static_cast<std::size_t>(count));
  reopen();
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), count);
}

TEST_P(StoreSuite, S8_after_a_failed_group_everything_is_looked_up_again) {
  auto other = ledger_->session(settled_);
  Item& first = unplaced("first");
  Item& copy = unplaced("first");
  ASSERT_EQ(look_up(first), Seen::fresh);
  ASSERT_EQ(run(first), Joined::joined);
  // The other session sees an id that is not durable yet, and calls it a duplicate.
  ASSERT_EQ(look_up(*other, copy), Seen::duplicate);
  if (!place_->fail_next_commit()) GTEST_SKIP() << GetParam().name << " cannot fail";
  session_->yield();
  other->yield();

  EXPECT_TRUE(settled_as(first.record.token, false));
  EXPECT_EQ(other->finish(copy.record, skipped()), Joined::interrupted);
  EXPECT_TRUE(effects().empty());
  // Looked up again it is what it is: new. A store may say once why the group failed.
  Seen seen = Seen::duplicate;
  try {
    seen = look_up(*other, copy);
  } catch (const StoreError& e) {
    EXPECT_TRUE(e.transient());
    seen = look_up(*other, copy);
  }
  EXPECT_EQ(seen, Seen::fresh);
  ASSERT_EQ(run(*other, copy), Joined::joined);
  other->yield();
  session_->yield();
  EXPECT_TRUE(settled_as(copy.record.token, true));
  EXPECT_EQ(std::ranges::count(effects(), "first"), 1);
}

TEST_P(StoreSuite, S9_a_failed_handler_leaves_nothing_and_costs_nobody_else_anything) {
  Item& good = item(0, "good");
  Item& bad = item(1, "bad");
  Item& after = item(2, "after");
  ASSERT_EQ(look_up(good), Seen::fresh);
  ASSERT_EQ(run(good), Joined::joined);
  Transaction& tx = session_->begin(bad.record);
  place_->write_effect(tx, "bad");
  place_->write_effect(tx, "bad");
  EXPECT_EQ(session_->roll_back(), Joined::joined);
  session_->begin(bad.record);
  EXPECT_EQ(session_->roll_back(), Joined::joined) << "nothing was touched";
  ASSERT_EQ(run(after), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(after.record.token, true));
  EXPECT_EQ(effects(), (Names{"after", "good"}));
  EXPECT_EQ(look_up(unplaced("bad", "topic")), Seen::fresh);
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.ranges().size(), 2u);
}

TEST_P(StoreSuite, S9_a_transaction_ends_with_its_handler) {
  Item& i = unplaced("id");
  look_up(i);
  Transaction& tx = session_->begin(i.record);
  ASSERT_EQ(session_->finish(i.record, {}), Joined::joined);
  EXPECT_THROW(place_->write_effect(tx, "late"), TransactionError);
  session_->yield();
  ASSERT_TRUE(settled_as(i.record.token, true));
  EXPECT_TRUE(effects().empty());
}

TEST_P(StoreSuite, S10_a_record_settles_once_every_session_has_yielded) {
  auto other = ledger_->session(settled_);
  Item& i = unplaced("id");
  look_up(i);
  look_up(*other, unplaced("another"));
  ASSERT_EQ(run(i), Joined::joined);
  session_->yield();
  other->yield();
  EXPECT_TRUE(settled_as(i.record.token, true));
}

TEST_P(StoreSuite, S10_a_skipped_record_settles_too) {
  process(unplaced("id"));
  Item& copy = unplaced("id");
  ASSERT_EQ(look_up(copy), Seen::duplicate);
  ASSERT_EQ(session_->finish(copy.record, skipped()), Joined::joined);
  session_->yield();
  EXPECT_TRUE(settled_as(copy.record.token, true));
}

TEST_P(StoreSuite, S11_what_is_taken_back_runs_again_and_then_alone) {
  std::vector<Item*> run_of;
  std::vector<const Record*> records;
  for (int offset = 0; offset < 20; ++offset) {
    run_of.push_back(&item(offset, "id " + std::to_string(offset)));
    records.push_back(&run_of.back()->record);
  }
  Item& bad = *run_of[17];
  std::vector<Seen> seen(records.size());
  session_->look_up(records, seen);

  std::vector<Item*> joined, todo(run_of.rbegin(), run_of.rend());
  int again = 0;
  while (!todo.empty()) {
    Item& next = *todo.back();
    place_->write_effect(session_->begin(next.record), next.id);
    const Joined how = &next == &bad ? session_->roll_back() : session_->finish(next.record, {});
    if (how == Joined::again) {
      ASSERT_EQ(++again, 1) << "each can be undone without the others now";
      ASSERT_GE(session_->taken_back(), 1u);
      ASSERT_LE(session_->taken_back(), joined.size());
      for (std::size_t n = session_->taken_back(); n > 0; --n, joined.pop_back()) todo.push_back(joined.back());
      continue;
    }
    ASSERT_EQ(how, Joined::joined);
    if (&next != &bad) joined.push_back(&next);
    todo.pop_back();
  }
  session_->yield();
  ASSERT_EQ(settled_.wait_for(19).size(), 19u) << "one settlement each, and none for what was taken back";
  Names expected;
  for (Item* i : run_of) {
    if (i == &bad) continue;
    expected.push_back(i->id);
    EXPECT_TRUE(settled_as(i->record.token, true)) << i->id;
    EXPECT_EQ(look_up(*i), Seen::duplicate) << i->id;
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(effects(), expected);
  EXPECT_EQ(look_up(bad), Seen::fresh);
}

TEST_P(StoreSuite, S12_a_claim_is_there_until_it_is_concluded_also_after_a_restart) {
  if (!place_->store().traits().claims) GTEST_SKIP() << "this store keeps no claims";
  for (const char* id : {"done", "parked", "left"}) claim(unplaced(id));
  for (int restarts = 0; restarts < 2; ++restarts) {
    for (const char* id : {"done", "parked", "left"}) EXPECT_EQ(look_up(unplaced(id)), Seen::claimed) << id;
    reopen();
  }
  Item& done = unplaced("done");
  ASSERT_EQ(look_up(done), Seen::claimed);
  ASSERT_EQ(run(done), Joined::joined);
  Item& dead = unplaced("parked");
  ASSERT_EQ(look_up(dead), Seen::claimed);
  ASSERT_EQ(session_->finish(dead.record, parked(ParkReason::unresolved)), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(dead.record.token, true));
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(look_up(unplaced("done")), Seen::duplicate);
    EXPECT_EQ(look_up(unplaced("parked")), Seen::duplicate);
    EXPECT_EQ(look_up(unplaced("left")), Seen::claimed);
    reopen();
  }
  ASSERT_EQ(ledger_->parked().size(), 1u);
  EXPECT_EQ(ledger_->parked()[0].reason, ParkReason::unresolved);
}

TEST_P(StoreSuite, S12_a_claim_finishes_no_position_and_its_conclusion_does) {
  if (!place_->store().traits().claims) GTEST_SKIP() << "this store keeps no claims";
  claim(item(0, "id"));
  EXPECT_FALSE(ledger_->open({"topic", 0}).progress.started());
  Item& again = item(0, "id");
  ASSERT_EQ(look_up(again), Seen::claimed);
  ASSERT_EQ(run(again), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(again.record.token, true));
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 1);
}

TEST_P(StoreSuite, S12_an_id_is_claimed_once_and_not_after_it_is_done) {
  if (!place_->store().traits().claims) GTEST_SKIP() << "this store keeps no claims";
  Item& first = unplaced("id");
  Item& second = unplaced("id");
  Item& third = unplaced("id");
  for (Item* i : {&first, &second, &third}) ASSERT_EQ(look_up(*i), Seen::fresh);
  ASSERT_EQ(session_->claim(first.record), Joined::joined);
  EXPECT_EQ(session_->claim(second.record), Joined::duplicate);
  ASSERT_EQ(look_up(first), Seen::claimed);
  ASSERT_EQ(run(first), Joined::joined);
  EXPECT_EQ(session_->claim(third.record), Joined::duplicate);
  session_->yield();
  ASSERT_TRUE(settled_as(first.record.token, true));
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
}

TEST_P(StoreSuite, S12_another_content_is_a_conflict_with_the_claim_and_does_not_end_it) {
  if (!place_->store().traits().claims) GTEST_SKIP() << "this store keeps no claims";
  claim(unplaced("id"));
  Item& other = unplaced("id");
  other.record.fingerprint = 2;
  ASSERT_EQ(look_up(other), Seen::claim_conflict);
  ASSERT_EQ(session_->finish(other.record, parked(ParkReason::id_conflict)), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(other.record.token, true));
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(look_up(unplaced("id")), Seen::claimed);
    reopen();
  }
}

TEST_P(StoreSuite, S12_a_claim_whose_group_failed_is_not_there) {
  if (!place_->store().traits().claims) GTEST_SKIP() << "this store keeps no claims";
  claim(unplaced("old"));
  Item& fresh = unplaced("fresh");
  Item& old = unplaced("old");
  ASSERT_EQ(look_up(fresh), Seen::fresh);
  ASSERT_EQ(look_up(old), Seen::claimed);
  if (!place_->fail_next_commit()) GTEST_SKIP() << "this store cannot fail";
  ASSERT_EQ(session_->claim(fresh.record), Joined::joined);
  ASSERT_EQ(run(old), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(fresh.record.token, false));
  try {
    (void)look_up(unplaced("fresh"));  // says once why the group was lost
  } catch (const StoreError&) {
  }
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(look_up(unplaced("fresh")), Seen::fresh);
    EXPECT_EQ(look_up(unplaced("old")), Seen::claimed) << "its conclusion was lost too";
    reopen();
  }
}

TEST_P(StoreSuite, S15_a_result_is_kept_with_its_id_byte_for_byte_also_after_a_restart) {
  if (!keeps_results()) GTEST_SKIP() << "this store keeps no results";
  const std::string bytes("\0\xff bytes", 8), large(64 << 10, 'x');
  const std::vector<std::pair<std::string, std::string>> results = {{"bytes", bytes}, {"empty", ""}, {"large", large}};
  for (const auto& [id, result] : results) {
    Item& i = unplaced(id);
    ASSERT_EQ(look_up(i), Seen::fresh);
    ASSERT_EQ(run(i, result), Joined::joined);
  }
  process(unplaced("none"));
  for (int restarts = 0; restarts < 2; ++restarts) {
    for (const auto& [id, result] : results) {
      EXPECT_EQ(look_up(unplaced(id)), Seen::duplicate);
      EXPECT_EQ(ending(id).result, result) << id;
      EXPECT_FALSE(ending(id).parked);
    }
    EXPECT_EQ(ending("none").result, std::nullopt);
    EXPECT_FALSE(ending("none").parked);
    const LedgerOptions another{.consumer = "another", .retention = retention};
    EXPECT_EQ(place_->store().ledger(another)->ending(*unplaced("empty").record.id).result, std::nullopt);
    reopen();
  }
}

TEST_P(StoreSuite, S15_what_is_not_done_leaves_no_result) {
  if (!keeps_results()) GTEST_SKIP() << "this store keeps no results";
  std::deque<Item*> before;
  for (const char* id : {"before 1", "before 2", "before 3"}) before.push_back(&unplaced(id));
  Item& bad = unplaced("bad");
  std::vector<const Record*> records;
  for (Item* i : before) records.push_back(&i->record);
  records.push_back(&bad.record);
  std::vector<Seen> seen(records.size());
  session_->look_up(records, seen);
  for (Item* i : before) ASSERT_EQ(run(*i, "of " + i->id), Joined::joined);
  place_->write_effect(session_->begin(bad.record), "bad");
  while (session_->roll_back() == Joined::again) {
    // Those it has taken back, and it once more.
    const std::size_t taken_back = session_->taken_back();
    for (std::size_t n = before.size() - taken_back; n < before.size(); ++n) {
      EXPECT_EQ(ending(before[n]->id).result, std::nullopt) << "taken back";
      ASSERT_EQ(run(*before[n], "of " + before[n]->id), Joined::joined);
    }
    place_->write_effect(session_->begin(bad.record), "bad");
  }
  session_->yield();
  ASSERT_TRUE(settled_as(before.back()->record.token, true));
  for (Item* i : before) EXPECT_EQ(ending(i->id).result, "of " + i->id);
  EXPECT_EQ(ending("bad").result, std::nullopt);
}

TEST_P(StoreSuite, S15_the_second_record_of_an_id_does_not_change_its_result) {
  if (!keeps_results()) GTEST_SKIP() << "this store keeps no results";
  Item& first = unplaced("id");
  Item& second = unplaced("id");
  ASSERT_EQ(look_up(first), Seen::fresh);
  ASSERT_EQ(look_up(second), Seen::fresh);
  ASSERT_EQ(run(first, "first"), Joined::joined);
  ASSERT_EQ(run(second, "second"), Joined::duplicate);
  session_->yield();
  ASSERT_TRUE(settled_as(first.record.token, true));
  EXPECT_EQ(ending("id").result, "first");
}

TEST_P(StoreSuite, S15_a_result_whose_group_failed_is_not_there) {
  if (!keeps_results()) GTEST_SKIP() << "this store keeps no results";
  Item& i = unplaced("id");
  ASSERT_EQ(look_up(i), Seen::fresh);
  ASSERT_EQ(run(i, "lost"), Joined::joined);
  if (!place_->fail_next_commit()) GTEST_SKIP() << GetParam().name << " cannot fail";
  session_->yield();
  ASSERT_TRUE(settled_as(i.record.token, false));
  EXPECT_EQ(ending("id").result, std::nullopt);
}

TEST_P(StoreSuite, S15_the_end_of_a_claim_may_have_a_result) {
  if (!keeps_results() || !place_->store().traits().claims) GTEST_SKIP() << "this store keeps no results or no claims";
  claim(unplaced("id"));
  Item& again = unplaced("id");
  ASSERT_EQ(look_up(again), Seen::claimed);
  (void)session_->begin(again.record);
  ASSERT_EQ(session_->finish(again.record, with("called")), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(again.record.token, true));
  reopen();
  EXPECT_EQ(look_up(unplaced("id")), Seen::duplicate);
  EXPECT_EQ(ending("id").result, "called");
}

TEST_P(StoreSuite, S15_an_id_that_was_parked_is_told_from_one_that_is_done) {
  if (!keeps_results()) GTEST_SKIP() << "this store keeps no results";
  Item& dead = unplaced("dead");
  ASSERT_EQ(look_up(dead), Seen::fresh);
  ASSERT_EQ(session_->finish(dead.record, parked(ParkReason::dead_letter)), Joined::joined);
  process(unplaced("done"));
  Item& other = unplaced("done");
  other.record.fingerprint = 2;
  ASSERT_EQ(look_up(other), Seen::conflict);
  ASSERT_EQ(session_->finish(other.record, parked(ParkReason::id_conflict)), Joined::joined);
  session_->yield();
  ASSERT_TRUE(settled_as(other.record.token, true));
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_TRUE(ending("dead").parked);
    EXPECT_FALSE(ending("done").parked) << "a conflict says nothing of the one that is done";
    reopen();
  }
}

}  // namespace idem::conformance
