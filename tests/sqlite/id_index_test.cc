// The remembered ids against a plain set, across generations, restarts and lost transactions.
#include "sqlite/id_index.h"

#include <map>
#include <memory>
#include <random>
#include <thread>

#include "sqlite/id_filter.h"
#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using sqlite::append_entry;
using sqlite::Connection;
using sqlite::find_fingerprint;
using sqlite::IdFilter;
using sqlite::IdIndex;
using sqlite::SqlError;

IdKey random_key(std::mt19937_64& random) { return {random(), random()}; }

TEST(IdFilter, never_denies_what_it_holds_and_seldom_claims_what_it_does_not) {
  std::mt19937_64 random(1);
  constexpr std::size_t ids = 300'000;
  IdFilter filter(ids);
  std::vector<IdKey> held;
  for (std::size_t i = 0; i < ids; ++i) {
    held.push_back(random_key(random));
    filter.add(held.back());
  }
  const IdFilter read(filter.bytes());
  for (const IdKey& key : held) ASSERT_TRUE(filter.may_hold(key) && read.may_hold(key));
  int wrong = 0;
  for (int i = 0; i < 100'000; ++i) wrong += read.may_hold(random_key(random));
  EXPECT_LT(wrong, 2'000);
  EXPECT_THROW(IdFilter(""), SqlError);
  EXPECT_THROW(IdFilter(filter.bytes().substr(1)), SqlError);
}

TEST(IdBucket, finds_each_of_its_ids_and_no_other) {
  std::string bucket;
  EXPECT_FALSE(find_fingerprint(bucket, {1, 0}));
  for (std::uint64_t i = 1; i <= 99; ++i) append_entry(bucket, {{i * 2, i}, i * 10});
  for (std::uint64_t i = 1; i <= 99; ++i) {
    EXPECT_EQ(find_fingerprint(bucket, {i * 2, i}), i * 10);
    EXPECT_FALSE(find_fingerprint(bucket, {i * 2 + 1, i}));
    EXPECT_FALSE(find_fingerprint(bucket, {i * 2, i + 1}));
  }
  EXPECT_THROW(find_fingerprint(bucket + "x", {1, 0}), SqlError);
}

// An index over its tables, without a store around it: the test is the group.
class IdIndexTest : public testing::Test {
 protected:
  static constexpr std::size_t set_size = 500;

  static std::string made(std::string path) {
    SqliteStore store({.path = path});
    return path;
  }

  void SetUp() override {
    make_generation(100);
    index_ = opened();
  }

  std::unique_ptr<IdIndex> opened() {
    auto index = std::make_unique<IdIndex>(connection_, set_size);
    for (const std::int64_t generation : generations_) index->created(generation);
    return index;
  }
  void make_generation(std::int64_t generation) {
    sqlite::IdRows::create_table(connection_, generation);
    generations_.push_back(generation);
  }
  void begin_generation(std::int64_t generation) {
    make_generation(generation);
    index_->created(generation);
  }

  std::optional<std::uint64_t> find(const IdKey& key) {
    std::optional<std::uint64_t> found;
    index_->find({&key, 1}, {&found, 1});
    return found;
  }
  bool add(const IdKey& key, std::uint64_t fingerprint = 0) { return index_->add(key, fingerprint, IdIndex::before_all); }

  void commit() {
    connection_.exec("BEGIN");
    index_->write();
    connection_.exec("COMMIT");
    index_->committed();
  }
  void lose() {
    connection_.exec("BEGIN");
    index_->write();
    connection_.exec("ROLLBACK");
    index_->lost();
  }
  void crash() { index_ = opened(); }
  std::int64_t count(const std::string& from) {
    sqlite::Statement count(connection_, "SELECT count(*) FROM " + from);
    auto rows = count.rows();
    rows.next();
    return rows.integer(0);
  }
  std::int64_t runs() { return count("idem_id_run"); }
  std::int64_t tail_rows(std::int64_t generation) {
    return count("idem_ids_" + std::to_string(generation) + " WHERE number < " + std::to_string(1LL << 32));
  }
  /// Commits until what was begun is done: the sorting is a thread of its own.
  void settle() {
    const auto busy = [&] {
      for (const std::int64_t generation : generations_)
        if (tail_rows(generation) > 1) return true;
      return false;
    };
    while (busy()) {
      commit();
      std::this_thread::yield();
    }
  }

  Scratch scratch_{"index"};
  Connection connection_{{.path = made(scratch_ / "ids.db"), .cache_bytes = 1 << 20}};
  std::vector<std::int64_t> generations_;
  std::unique_ptr<IdIndex> index_;
};

// Every operation in random order, and after each crash all that was ever committed.
TEST_F(IdIndexTest, agrees_with_a_map) {
  std::mt19937_64 random(2);
  std::vector<IdKey> pool;
  for (int i = 0; i < 20'000; ++i) pool.push_back(random_key(random));
  using Model = std::map<IdKey, std::pair<std::uint64_t, std::int64_t>>;  // fingerprint and generation
  Model durable, kept, present;
  std::int64_t newest = 100;
  const auto agree = [&](const IdKey& key) {
    const auto found = find(key);
    const auto expected = present.find(key);
    ASSERT_EQ(found.has_value(), expected != present.end());
    if (found) {
      ASSERT_EQ(*found, expected->second.first);
    }
  };
  for (int step = 0; step < 60'000; ++step) {
    const IdKey& key = pool[random() % pool.size()];
    const auto dice = random() % 1'000;
    if (dice < 700) {
      const std::uint64_t fingerprint = random();
      ASSERT_EQ(add(key, fingerprint), present.try_emplace(key, fingerprint, newest).second) << step;
    } else if (dice < 900) {
      ASSERT_NO_FATAL_FAILURE(agree(key)) << step;
    } else if (dice < 920) {
      index_->keep();
      kept = present;
    } else if (dice < 940) {
      index_->take_back();
      present = kept;
    } else if (dice < 985) {
      commit();
      durable = kept = present;
    } else if (dice < 995) {
      lose();
      present = kept = durable;
    } else if (dice < 999) {
      crash();
      present = kept = durable;
      for (const IdKey& each : pool) ASSERT_NO_FATAL_FAILURE(agree(each)) << step;
    } else {
      commit();
      begin_generation(++newest);
      if (generations_.size() > 4) {
        const std::int64_t oldest = generations_.front();
        index_->drop_table(oldest);
        index_->dropped(oldest);
        generations_.erase(generations_.begin());
        std::erase_if(present, [&](const auto& id) { return id.second.second == oldest; });
      }
      durable = kept = present;
    }
  }
  EXPECT_GT(runs(), 0);
}

TEST_F(IdIndexTest, a_set_that_is_full_becomes_a_run_and_its_tail_goes) {
  std::mt19937_64 random(3);
  std::vector<IdKey> keys;
  for (int i = 0; i < 5'000; ++i) {
    keys.push_back(random_key(random));
    ASSERT_TRUE(add(keys.back(), static_cast<std::uint64_t>(i)));
    if (i % 10 == 9) commit();
  }
  while (runs() == 0) commit();
  const auto sealed = count("idem_id_run WHERE ids >= 500");
  EXPECT_GT(sealed, 0);
  for (int again = 0; again < 2; ++again) {
    for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(find(keys[i]), i) << i;
    for (int i = 0; i < 5'000; ++i) ASSERT_FALSE(find(random_key(random)));
    ASSERT_FALSE(add(keys[0]));
    crash();
  }
}

// Whoever looked an id up before it went into a run must hear of it when adding.
TEST_F(IdIndexTest, what_was_sealed_since_a_look_up_is_not_added_again) {
  std::mt19937_64 random(4);
  const IdKey key{1, 1};
  const IdIndex::Moment then = index_->now();
  ASSERT_FALSE(find(key));
  ASSERT_TRUE(add(key, 7));
  for (std::size_t i = 0; i < set_size; ++i) ASSERT_TRUE(add(random_key(random)));
  commit();
  for (int i = 0; runs() == 0 || i < 3; ++i) commit();
  EXPECT_FALSE(index_->add(key, 8, then));
  EXPECT_TRUE(index_->knows(key, then));
  EXPECT_EQ(find(key), 7u);
}

TEST_F(IdIndexTest, a_run_that_was_not_finished_does_not_count_and_goes) {
  std::mt19937_64 random(5);
  std::vector<IdKey> keys;
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(add(keys.emplace_back(random_key(random))));
  commit();
  const std::string of_runs = "idem_ids_100 WHERE number >= " + std::to_string(1LL << 32);
  while (count(of_runs) == 0) commit();
  ASSERT_EQ(runs(), 0) << "2,000 ids are more than one commit seals";
  crash();
  for (const IdKey& key : keys) ASSERT_TRUE(find(key));
  while (runs() == 0) commit();
  for (int i = 0; i < 10; ++i) commit();
  EXPECT_EQ(count("idem_ids_100 WHERE number >> 32 = 1"), 0) << "what the crash left is erased";
  crash();
  for (const IdKey& key : keys) ASSERT_TRUE(find(key));
}

TEST_F(IdIndexTest, a_generation_that_has_ended_gives_its_memory_back) {
  std::mt19937_64 random(6);
  std::vector<IdKey> keys;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(add(keys.emplace_back(random_key(random))));
    commit();
  }
  EXPECT_EQ(tail_rows(100), 100);
  begin_generation(101);
  settle();
  EXPECT_EQ(tail_rows(100), 0);
  EXPECT_EQ(runs(), 1);
  for (const IdKey& key : keys) ASSERT_TRUE(find(key));
}

TEST_F(IdIndexTest, what_was_rolled_back_is_not_there_and_can_be_added) {
  EXPECT_TRUE(add({1, 2}, 3));
  EXPECT_EQ(find({1, 2}), 3u);
  lose();
  EXPECT_FALSE(find({1, 2}));
  EXPECT_TRUE(add({1, 2}, 3));
  EXPECT_FALSE(add({1, 2}, 4));
  EXPECT_EQ(find({1, 2}), 3u);
}

TEST_F(IdIndexTest, what_is_taken_back_is_not_there_and_what_was_kept_is) {
  ASSERT_TRUE(add({1, 0}, 1));
  index_->keep();
  ASSERT_TRUE(add({2, 0}, 2));
  ASSERT_TRUE(add({3, 0}, 3));
  index_->take_back();
  EXPECT_TRUE(find({1, 0}));
  EXPECT_FALSE(find({2, 0}));
  EXPECT_FALSE(find({3, 0}));
  EXPECT_TRUE(add({3, 0}, 4));
  commit();
  crash();
  EXPECT_EQ(find({3, 0}), 4u);
  EXPECT_FALSE(find({2, 0}));
}

TEST_F(IdIndexTest, a_dropped_generation_is_forgotten_and_the_others_are_not) {
  std::mt19937_64 random(7);
  ASSERT_TRUE(add({100, 0}));
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(add(random_key(random)));
  commit();
  while (runs() == 0) commit();
  begin_generation(101);
  ASSERT_TRUE(add({101, 0}));
  commit();
  index_->drop_table(100);
  index_->dropped(100);
  generations_.erase(generations_.begin());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(runs(), 0);
    EXPECT_FALSE(find({100, 0}));
    EXPECT_TRUE(find({101, 0}));
    crash();
  }
}

}  // namespace
}  // namespace idem::test
