// One transaction for many messages: when it commits, and what its errors mean to those who joined it.
#include <sqlite3.h>

#include <sys/mount.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using fault_vfs::Fault;
using fault_vfs::Step;

class GroupTest : public SqliteTest {
 protected:
  /// The next look_up may say once why the group failed.
  Seen look_up_again(Session& session, const Item& i) {
    try {
      return look_up(session, i);
    } catch (const StoreError& e) {
      EXPECT_TRUE(e.transient()) << e.what();
      return look_up(session, i);
    }
  }

  /// `first` is in the open group, the other session has seen it there; nothing is committed.
  void open_group() {
    other_ = ledger_->session(settled_);
    ASSERT_EQ(run(first_), Joined::joined);
    ASSERT_EQ(look_up(*other_, copy_), Seen::duplicate);
  }

  void expect_lost_and_everything_works_again() {
    EXPECT_TRUE(lost(first_));
    EXPECT_EQ(other_->finish(copy_.record, skipped()), Joined::interrupted);
    EXPECT_EQ(look_up_again(*other_, copy_), Seen::fresh);
    EXPECT_EQ(look_up_again(*session_, first_), Seen::fresh);
    effect(session_->begin(first_.record), "first");
    EXPECT_EQ(session_->finish(first_.record, {}), Joined::joined);
    session_->yield();
    other_->yield();
    ASSERT_TRUE(settled_.wait_for(2).back().durable);
    EXPECT_EQ(effects(), Names{"first"});
  }

  Item& first_ = item_at(0, "first");
  Item& copy_ = item("first");
  std::unique_ptr<Session> other_;
};

// --- When it commits ------------------------------------------------------------------------------------------

TEST_F(GroupTest, an_idle_consumer_pays_one_sync_a_message) {
  const auto before = fault_vfs::counts();
  ASSERT_EQ(run(item("id")), Joined::joined);
  session_->yield();
  EXPECT_TRUE(durable(items_.back()));
  EXPECT_EQ(fault_vfs::counts().syncs, before.syncs + 1);
}

TEST_F(GroupTest, a_busy_consumer_pays_one_sync_a_group) {
  options_.group_messages = 100;
  options_.group_age = std::chrono::hours(1);
  reopen();
  const auto before = fault_vfs::counts();
  for (int n = 0; n < 1'000; ++n) ASSERT_EQ(run(item(std::to_string(n))), Joined::joined);
  EXPECT_TRUE(durable(items_.back()));
  EXPECT_LE(fault_vfs::counts().syncs, before.syncs + 12);  // 10, and a checkpoint may sync too
}

TEST_F(GroupTest, an_old_group_is_committed_although_somebody_is_busy) {
  auto slow = ledger_->session(settled_);
  look_up(*slow, item("slow"));  // and then its handler takes its time
  ASSERT_EQ(run(item("id")), Joined::joined);
  session_->yield();
  EXPECT_TRUE(durable(items_.back()));
}

TEST_F(GroupTest, waits_for_those_who_are_about_to_add) {
  options_.group_age = std::chrono::hours(1);
  reopen();
  auto busy = ledger_->session(settled_);
  look_up(*busy, item("busy"));
  ASSERT_EQ(run(item("id")), Joined::joined);
  session_->yield();
  EXPECT_TRUE(settled_.now().empty());
  busy->yield();
  EXPECT_TRUE(durable(items_.back()));
}

TEST_F(GroupTest, a_record_that_is_to_be_alone_is_alone) {
  options_.group_age = std::chrono::hours(1);
  reopen();
  ASSERT_EQ(run(first_), Joined::joined);
  Item& alone = item("alone");
  alone.record.alone = true;
  const auto before = fault_vfs::counts();
  ASSERT_EQ(run(alone), Joined::joined);
  EXPECT_EQ(settled_.now().size(), 2u);
  EXPECT_EQ(fault_vfs::counts().syncs, before.syncs + 2);
}

TEST_F(GroupTest, a_session_that_goes_leaves_nothing_behind_unsettled) {
  options_.group_age = std::chrono::hours(1);
  reopen();
  auto busy = ledger_->session(settled_);
  look_up(*busy, item("busy"));
  Settled own;
  {
    auto session = ledger_->session(own);
    ASSERT_EQ(run(*session, item("id")), Joined::joined);
  }
  EXPECT_EQ(own.now().size(), 1u);
}

// --- When user SQL ends the transaction -----------------------------------------------------------------------

TEST_F(GroupTest, or_rollback_in_a_handler_loses_the_group_and_acknowledges_none_of_it) {
  open_group();
  Item& bad = item("bad");
  ASSERT_EQ(look_up(bad), Seen::fresh);
  Transaction& tx = session_->begin(bad.record);
  tx.exec("CREATE TABLE t (x INTEGER UNIQUE)");
  tx.exec("INSERT INTO t VALUES (1)");
  EXPECT_THROW(tx.exec("INSERT OR ROLLBACK INTO t VALUES (1)"), TransactionError);
  EXPECT_THROW(effect(tx, "after the end"), TransactionError);
  EXPECT_EQ(session_->finish(bad.record, {}), Joined::interrupted);
  expect_lost_and_everything_works_again();
}

TEST_F(GroupTest, or_rollback_is_also_noticed_at_roll_back) {
  open_group();
  Item& bad = item("bad");
  ASSERT_EQ(look_up(bad), Seen::fresh);
  Transaction& tx = session_->begin(bad.record);
  tx.exec("CREATE TABLE t (x INTEGER UNIQUE)");
  EXPECT_THROW(tx.exec("INSERT OR ROLLBACK INTO t VALUES (1), (1)"), TransactionError);
  EXPECT_EQ(session_->roll_back(), Joined::interrupted);
  expect_lost_and_everything_works_again();
}

TEST_F(GroupTest, raise_rollback_in_a_trigger_too) {
  store_->transact([](Transaction& tx) {
    tx.exec("CREATE TRIGGER no AFTER INSERT ON effects WHEN new.name = 'bad' BEGIN SELECT raise(ROLLBACK, 'no'); END");
  });
  open_group();
  Item& bad = item("bad");
  ASSERT_EQ(look_up(bad), Seen::fresh);
  EXPECT_THROW(effect(session_->begin(bad.record), "bad"), TransactionError);
  EXPECT_EQ(session_->roll_back(), Joined::interrupted);
  expect_lost_and_everything_works_again();
}

TEST_F(GroupTest, or_rollback_alone_costs_nobody_anything) {
  Item& bystander = item("bystander");
  other_ = ledger_->session(settled_);
  ASSERT_EQ(look_up(*other_, bystander), Seen::fresh);
  Item& bad = item("bad");
  bad.record.alone = true;
  ASSERT_EQ(look_up(bad), Seen::fresh);
  Transaction& tx = session_->begin(bad.record);
  tx.exec("CREATE TABLE t (x INTEGER UNIQUE)");
  EXPECT_THROW(tx.exec("INSERT OR ROLLBACK INTO t VALUES (1), (1)"), TransactionError);
  EXPECT_EQ(session_->roll_back(), Joined::joined);
  EXPECT_EQ(session_->finish(bad.record, parked()), Joined::joined);
  EXPECT_TRUE(durable(bad));
  effect(other_->begin(bystander.record), "bystander");
  EXPECT_EQ(other_->finish(bystander.record, {}), Joined::joined);
}

TEST_F(GroupTest, or_rollback_swallowed_by_the_handler_is_not_done) {
  Item& bad = item("bad");
  bad.record.alone = true;
  ASSERT_EQ(look_up(bad), Seen::fresh);
  Transaction& tx = session_->begin(bad.record);
  tx.exec("CREATE TABLE t (x INTEGER UNIQUE)");
  EXPECT_THROW(tx.exec("INSERT OR ROLLBACK INTO t VALUES (1), (1)"), TransactionError);
  EXPECT_EQ(session_->finish(bad.record, {}), Joined::interrupted);
  EXPECT_EQ(look_up(bad), Seen::fresh);
}

// --- When the disk fails --------------------------------------------------------------------------------------

TEST_F(GroupTest, a_full_disk_at_commit_is_transient_and_nothing_is_acknowledged) {
  open_group();
  fault_vfs::arm(Step::write, Fault::disk_full, 2, true);
  session_->yield();
  other_->yield();
  EXPECT_TRUE(lost(first_));
  try {
    look_up(first_);
    ADD_FAILURE() << "the reason must be told";
  } catch (const StoreError& e) {
    EXPECT_TRUE(e.transient()) << e.what();
  }
  fault_vfs::disarm();
  EXPECT_EQ(other_->finish(copy_.record, skipped()), Joined::interrupted);
  EXPECT_EQ(look_up(first_), Seen::fresh);
  EXPECT_FALSE(ledger_->open({"topic", 0}).progress.started());
}

TEST_F(GroupTest, a_full_disk_in_the_middle_of_a_handler) {
  open_group();
  options_.cache_bytes = 64 << 10;
  other_.reset();
  Item& big = item("big");
  reopen();
  ASSERT_EQ(look_up(big), Seen::fresh);
  Transaction& tx = session_->begin(big.record);
  fault_vfs::arm(Step::write, Fault::disk_full, 5, true);
  EXPECT_THROW(for (int i = 0; i < 100; ++i) tx.exec("INSERT INTO effects VALUES (randomblob(20000))"), StoreError);
  // The pipeline hands the run back without ending the scope; the turn must be free all the same.
  fault_vfs::disarm();
  EXPECT_TRUE(ledger_->parked().empty());
  EXPECT_EQ(look_up_again(*session_, big), Seen::fresh);
  EXPECT_EQ(effects(), Names{"first"});
}

// The same on a real file system that is full.
TEST_F(GroupTest, a_full_file_system) {
  close();
  const auto disk = scratch_ / "small";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=512k") != 0) GTEST_SKIP() << "mounting is not permitted here";
  const std::string ballast = disk / "ballast";
  options_.path = disk / "store.db";
  open();
  ASSERT_EQ(run(first_), Joined::joined);
  session_->yield();
  ASSERT_TRUE(durable(first_));
  {
    std::ofstream fill(ballast);
    while (fill.write(std::string(4096, 'x').data(), 4096).flush()) {
    }
  }
  Item& second = item("second");
  int troubles = 0;
  const auto try_once = [&] {
    try {
      if (look_up(second) != Seen::fresh) return true;
      effect(session_->begin(second.record), "second");
      if (session_->finish(second.record, {}) == Joined::joined) session_->yield();
    } catch (const StoreError& e) {
      EXPECT_TRUE(e.transient()) << e.what();
      ++troubles;
    }
    return false;
  };
  for (int attempts = 0; attempts < 20; ++attempts) try_once();
  EXPECT_GT(troubles, 0);
  std::filesystem::remove(ballast);
  for (int attempts = 0; attempts < 20 && !try_once(); ++attempts) {
  }
  EXPECT_EQ(effects(), (Names{"first", "second"}));
  close();
  ::umount(disk.c_str());
}

TEST_F(GroupTest, an_io_error_at_commit_is_asked_back) {
  for (const Step step : {Step::write, Step::before_sync}) {
    Item& i = item(step == Step::write ? "write" : "sync");
    fault_vfs::arm(step, Fault::io_error);
    ASSERT_EQ(look_up_again(*session_, i), Seen::fresh);
    effect(session_->begin(i.record), i.id);
    ASSERT_EQ(session_->finish(i.record, {}), Joined::joined);
    session_->yield();
    const bool was_durable = durable(i);
    EXPECT_EQ(look_up_again(*session_, i), was_durable ? Seen::duplicate : Seen::fresh);
    EXPECT_EQ(std::ranges::count(effects(), i.id), was_durable ? 1 : 0);
  }
}

#ifdef IDEM_FAILPOINTS

TEST_F(GroupTest, a_commit_whose_answer_was_lost_is_durable_when_the_file_says_so) {
  failpoint::arm("store.commit_lost:error");
  ASSERT_EQ(run(first_), Joined::joined);
  session_->yield();
  EXPECT_TRUE(durable(first_));
  EXPECT_EQ(look_up(copy_), Seen::duplicate);
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 1);
  reopen();
  EXPECT_EQ(effects(), Names{"first"});
}

TEST_F(GroupTest, a_commit_that_did_not_take_place_is_run_again) {
  open_group();
  failpoint::arm("store.commit_refused:error");
  session_->yield();
  other_->yield();
  expect_lost_and_everything_works_again();
}

TEST_F(GroupTest, unknown_ten_times_in_a_row) {
  failpoint::arm("store.commit_refused:error@3,store.commit_lost:error@4");
  for (int n = 0; n < 10; ++n) {
    Item& i = item_at(n, std::to_string(n));
    i.record.alone = true;
    for (bool done = false; !done;) {
      if (look_up_again(*session_, i) == Seen::duplicate) break;
      effect(session_->begin(i.record), i.id);
      ASSERT_EQ(session_->finish(i.record, {}), Joined::joined);
      done = settled_.now().back().durable;
    }
  }
  EXPECT_EQ(effects().size(), 10u);
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 10);
}

TEST_F(GroupTest, locked_by_another_process_is_transient) {
  failpoint::arm("store.begin:error");
  Item& i = item("id");
  ASSERT_EQ(look_up(i), Seen::fresh);
  try {
    effect(session_->begin(i.record), "id");
    ADD_FAILURE();
  } catch (const StoreError& e) {
    EXPECT_TRUE(e.transient());
  }
  EXPECT_EQ(look_up(i), Seen::fresh);
  effect(session_->begin(i.record), "id");
  EXPECT_EQ(session_->finish(i.record, {}), Joined::joined);
}

#endif

// --- When the file is no longer ours --------------------------------------------------------------------------

class LostFile : public GroupTest {
 protected:
  void expect_dead() {
    ASSERT_EQ(run(first_), Joined::joined);
    session_->yield();
    EXPECT_TRUE(lost(first_)) << "the pipeline is woken by the settlement and hears the reason at its next call";
    for (int calls = 0; calls < 2; ++calls) {
      try {
        look_up(first_);
        ADD_FAILURE();
      } catch (const StoreError& e) {
        EXPECT_FALSE(e.transient()) << e.what();
      }
    }
    session_->begin(first_.record);
    EXPECT_THROW(session_->finish(first_.record, {}), StoreError);
    EXPECT_THROW(session_->roll_back(), StoreError);
    EXPECT_THROW(ledger_->open({"topic", 3}), StoreError);
    EXPECT_THROW(store_->transact([](Transaction&) {}), StoreError);
  }
};

TEST_F(LostFile, a_deleted_log_under_a_running_store_ends_it) {
  std::filesystem::remove(path() + "-wal");
  expect_dead();
}

TEST_F(LostFile, a_replaced_file_under_a_running_store_ends_it) {
  std::filesystem::copy_file(path(), path() + ".copy");
  std::filesystem::rename(path() + ".copy", path());
  expect_dead();
}

TEST_F(LostFile, a_file_that_cannot_be_reopened_ends_it) {
  std::filesystem::remove(path());
  fault_vfs::arm(Step::before_sync, Fault::io_error);
  expect_dead();
}

TEST_F(LostFile, a_log_deleted_between_two_runs_takes_effects_ids_and_positions_back_together) {
  ASSERT_EQ(run(first_), Joined::joined);
  session_->yield();
  ASSERT_TRUE(durable(first_));
  close();
  open();
  ASSERT_EQ(run(item_at(1, "second")), Joined::joined);
  session_->yield();
  ASSERT_TRUE(durable(items_.back()));
  // As a crash would leave it: the log is there, nothing was copied into the file. Then somebody tidies up.
  const auto crashed = scratch_ / "crashed.db";
  std::filesystem::copy_file(path(), crashed);
  close();
  options_.path = crashed;
  open();
  EXPECT_EQ(effects(), Names{"first"});
  EXPECT_EQ(look_up(item("second")), Seen::fresh);
  EXPECT_EQ(ledger_->open({"topic", 0}).progress.watermark(), 1);
}

// --- Duplicates that meet in one group ------------------------------------------------------------------------

TEST_F(GroupTest, one_id_twice_in_one_group_on_two_partitions) {
  other_ = ledger_->session(settled_);
  Item& a = item_at(5, "id");
  Item& b = items_.emplace_back("topic", 9, "id");
  b.record.partition = ledger_->open({"topic", 1}).slot;
  ASSERT_EQ(look_up(a), Seen::fresh);
  ASSERT_EQ(look_up(*other_, b), Seen::fresh);
  effect(session_->begin(a.record), "id");
  ASSERT_EQ(session_->finish(a.record, {}), Joined::joined);
  effect(other_->begin(b.record), "id");
  ASSERT_EQ(other_->finish(b.record, {}), Joined::duplicate);
  ASSERT_EQ(look_up(*other_, b), Seen::duplicate);
  ASSERT_EQ(other_->finish(b.record, skipped()), Joined::joined);
  session_->yield();
  other_->yield();
  EXPECT_TRUE(durable(a));
  EXPECT_TRUE(durable(b));
  EXPECT_EQ(effects(), Names{"id"});
  EXPECT_TRUE(ledger_->open({"topic", 1}).progress.contains(9));
}

TEST_F(GroupTest, a_dead_letter_of_an_id_that_was_done_meanwhile_is_a_duplicate) {
  other_ = ledger_->session(settled_);
  Item& late = item("id");
  ASSERT_EQ(look_up(*other_, late), Seen::fresh);
  ASSERT_EQ(run(item("id")), Joined::joined);
  EXPECT_EQ(other_->finish(late.record, parked()), Joined::duplicate);
  EXPECT_TRUE(ledger_->parked().empty());
}

TEST_F(GroupTest, ids_of_any_bytes_are_kept_whole_in_the_parking_lot) {
  const Names ids{std::string("a\0b", 3), "\xff\xfe", "'; DROP TABLE effects; --", std::string(1 << 20, 'x')};
  for (const std::string& id : ids) {
    Item& i = item(id);
    ASSERT_EQ(look_up(i), Seen::fresh);
    ASSERT_EQ(session_->finish(i.record, parked()), Joined::joined);
    EXPECT_EQ(look_up(item(id)), Seen::duplicate);
  }
  const auto lot = ledger_->parked();
  ASSERT_EQ(lot.size(), ids.size());
  for (std::size_t n = 0; n < ids.size(); ++n) EXPECT_EQ(lot[n].id, ids[n]);
}

}  // namespace
}  // namespace idem::test
