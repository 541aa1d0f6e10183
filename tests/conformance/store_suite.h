// The rules of idem/store.h as tests: one per numbered rule, named after it. For every store, ours and yours.
//
// A store joins with a StorePlace (how to make it, reopen it, write an effect and read the effects back) and
//     INSTANTIATE_TEST_SUITE_P(MyStore, StoreSuite, testing::Values(StoreFactory{"mine", make}), factory_name);
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <idem/store.h>

#include "store_items.h"

namespace idem::conformance {

/// One store in a place of its own, for one test.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual TransactionalStore& store() = 0;
  /// Closes the store and opens it again, as a restart of the process would. No ledger or session is held.
  /// A store that forgets on exit (traits().durable is false) keeps the same object.
  virtual void reopen() = 0;
  /// Adds one effect through the transaction. The same name may be added many times: repeats must show.
  virtual void write_effect(Transaction& tx, const std::string& name) = 0;
  /// All durable effects, sorted.
  virtual std::vector<std::string> effects() = 0;
  /// The next commit does not take place. False: this store cannot fail, and rules about failure are skipped.
  virtual bool fail_next_commit() { return false; }
};

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> make;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
inline std::string factory_name(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }

class StoreSuite : public testing::TestWithParam<StoreFactory> {
 protected:
  static constexpr std::chrono::hours retention{8};

  void SetUp() override {
    place_ = GetParam().make();
    open();
  }

  void open() {
    ledger_ = place_->store().ledger({.consumer = "consumer", .retention = retention});
    slot_ = ledger_->open({"topic", 0}).slot;
    session_ = ledger_->session(settled_);
  }

  void close() {
    session_.reset();
    ledger_.reset();
  }

  void reopen() {
    close();
    place_->reopen();
    open();
  }

  /// A record of partition 0 of "topic"; `id` empty: it has none.
  Item& item(std::int64_t offset, const std::string& id) {
    Item& made = items_.emplace_back("topic", offset, id);
    made.record.partition = slot_;
    return made;
  }
  /// One of a source without positions.
  Item& unplaced(const std::string& id, const std::string& topic = "queue") {
    return items_.emplace_back(topic, 0, id);
  }

  Seen look_up(const Item& i) { return look_up(*session_, i); }
  static Seen look_up(Session& session, const Item& i) {
    const Record* record = &i.record;
    Seen seen = Seen::fresh;
    session.look_up({&record, 1}, {&seen, 1});
    return seen;
  }

  /// begin, write one effect named after the id, finish. The caller has looked it up.
  Joined run(const Item& i) { return run(*session_, i); }
  Joined run(Session& session, const Item& i) {
    place_->write_effect(session.begin(i.record), i.id);
    return session.finish(i.record, {});
  }

  static Conclusion skipped() { return {.kind = Conclusion::Kind::skipped}; }
  static Conclusion parked(ParkReason reason) {
    return {.kind = Conclusion::Kind::parked, .reason = reason, .why = "because", .attempts = 3};
  }

  /// Looks it up, runs it, and waits until it is durable.
  void process(const Item& i) {
    ASSERT_EQ(look_up(i), Seen::fresh);
    ASSERT_EQ(run(i), Joined::joined);
    session_->yield();
    ASSERT_TRUE(settled_as(i.record.token, true));
  }

  bool settled_as(std::uint64_t token, bool durable) { return settled_as(settled_, token, durable); }
  static bool settled_as(Settled& settled, std::uint64_t token, bool durable) {
    for (std::size_t n = 0;;) {
      const auto all = settled.wait_for(n + 1);
      for (const Settlement& s : all)
        if (s.token == token) return s.durable == durable;
      if (all.size() == n) return false;
      n = all.size();
    }
  }

  std::vector<std::string> effects() { return place_->effects(); }
  using Names = std::vector<std::string>;

  std::unique_ptr<StorePlace> place_;
  Settled settled_;
  std::shared_ptr<Ledger> ledger_;
  std::unique_ptr<Session> session_;
  std::uint32_t slot_ = 0;
  std::deque<Item> items_;
};

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

TEST_P(StoreSuite, the_same_ledger_for_the_same_consumer) {
  EXPECT_EQ(place_->store().ledger({.consumer = "consumer", .retention = retention}), ledger_);
  EXPECT_THROW((void)place_->store().ledger({.consumer = "consumer", .retention = 2 * retention}),
               std::invalid_argument);
  EXPECT_THROW((void)place_->store().ledger({.consumer = ""}), std::invalid_argument);
}

}  // namespace idem::conformance
