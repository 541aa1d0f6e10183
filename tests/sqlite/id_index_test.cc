// The remembered ids against a plain set, across generations, restarts and lost transactions.
#include "sqlite/id_index.h"

#include <map>
#include <random>

#include "sqlite/id_filter.h"
#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using sqlite::Connection;
using sqlite::IdFilter;
using sqlite::IdIndex;
using sqlite::IdState;
using sqlite::Remembered;

IdKey random_key(std::mt19937_64& random) { return {random(), random()}; }

TEST(IdFilter, never_denies_what_it_holds_and_seldom_claims_what_it_does_not) {
  std::mt19937_64 random(1);
  IdFilter filter;
  EXPECT_FALSE(filter.may_hold(random_key(random)));
  std::vector<IdKey> held;
  for (int i = 0; i < 300'000; ++i) {
    held.push_back(random_key(random));
    filter.add(held.back());
  }
  for (const IdKey& key : held) ASSERT_TRUE(filter.may_hold(key));
  int wrong = 0;
  for (int i = 0; i < 100'000; ++i) wrong += filter.may_hold(random_key(random));
  EXPECT_LT(wrong, 2'000);
}

class IdIndexTest : public testing::Test {
 protected:
  static std::string made(std::string path) {
    SqliteStore store({.path = path});
    return path;
  }

  std::optional<Remembered> find(IdIndex& index, const IdKey& key) {
    std::optional<Remembered> found;
    index.find({&key, 1}, {&found, 1});
    return found;
  }

  static void commit(IdIndex& index) {
    index.write();
    index.forget_added();
  }

  Scratch scratch_{"index"};
  Connection connection_{{.path = made(scratch_ / "ids.db"), .cache_bytes = 1 << 20}};
};

TEST_F(IdIndexTest, agrees_with_a_map) {
  std::mt19937_64 random(2);
  std::map<IdKey, std::uint64_t> model;
  IdIndex index(connection_);
  connection_.exec("BEGIN");
  for (std::int64_t generation = 100; generation < 104; ++generation) {
    index.create_table(generation);
    index.created(generation);
    for (int i = 0; i < 2'000; ++i) {
      const IdKey key{random() % 3'000, 0};
      const std::uint64_t fingerprint = random();
      EXPECT_EQ(index.add(key, {fingerprint, IdState::done}, 0), model.emplace(key, fingerprint).second);
      if (i % 64 == 0) commit(index);
    }
    commit(index);
  }
  connection_.exec("COMMIT");
  IdIndex opened(connection_);
  for (std::int64_t generation = 100; generation < 104; ++generation) opened.created(generation);
  for (IdIndex* i : {&index, &opened})
    for (std::uint64_t k = 0; k < 3'100; ++k) {
      const IdKey key{k, 0};
      const auto found = find(*i, key);
      ASSERT_EQ(found.has_value(), model.contains(key)) << k;
      if (found) {
        EXPECT_EQ(found->fingerprint, model[key]);
      }
    }
}

TEST_F(IdIndexTest, what_was_rolled_back_is_not_there_and_can_be_added) {
  IdIndex index(connection_);
  index.create_table(100);
  index.created(100);
  connection_.exec("BEGIN");
  EXPECT_TRUE(index.add({1, 2}, {3, IdState::parked}, 100));
  EXPECT_EQ(find(index, {1, 2})->state, IdState::parked);
  index.write();
  connection_.exec("ROLLBACK");
  index.forget_added();
  EXPECT_FALSE(find(index, {1, 2}));
  EXPECT_TRUE(index.add({1, 2}, {3, IdState::done}, 100));
  EXPECT_FALSE(index.add({1, 2}, {4, IdState::done}, 100));
  EXPECT_EQ(find(index, {1, 2})->fingerprint, 3u);
}

TEST_F(IdIndexTest, what_is_taken_back_is_not_there_and_what_was_kept_is) {
  IdIndex index(connection_);
  index.create_table(100);
  index.created(100);
  ASSERT_TRUE(index.add({1, 0}, {1, IdState::done}, 100));
  index.keep();
  ASSERT_TRUE(index.add({2, 0}, {2, IdState::done}, 100));
  ASSERT_TRUE(index.add({3, 0}, {3, IdState::done}, 100));
  index.take_back();
  EXPECT_TRUE(find(index, {1, 0}));
  EXPECT_FALSE(find(index, {2, 0}));
  EXPECT_FALSE(find(index, {3, 0}));
  EXPECT_TRUE(index.add({3, 0}, {4, IdState::done}, 100));
  commit(index);
  EXPECT_EQ(find(index, {3, 0})->fingerprint, 4u);
  EXPECT_FALSE(find(index, {2, 0}));
}

TEST_F(IdIndexTest, a_dropped_generation_is_forgotten_and_the_others_are_not) {
  IdIndex index(connection_);
  for (std::int64_t generation : {100, 101}) {
    index.create_table(generation);
    index.created(generation);
    index.add({static_cast<std::uint64_t>(generation), 0}, {}, generation);
    commit(index);
  }
  index.drop_table(100);
  index.dropped(100);
  EXPECT_FALSE(find(index, {100, 0}));
  EXPECT_TRUE(find(index, {101, 0}));
}

}  // namespace
}  // namespace idem::test
