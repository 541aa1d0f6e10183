#include <idem/once.h>

#include "tests/runtime/fixture.h"

#include <vector>

namespace idem::test {
namespace {

TEST(Once, RunsOncePerId) {
  MemoryStore store;
  auto add = [&](std::string_view id) { return once(store, "webhook", id, [&](Transaction& tx) { MemoryStore::put(tx, id, "1"); }); };
  EXPECT_EQ(add("a"), Once::applied);
  EXPECT_EQ(add("a"), Once::duplicate);
  EXPECT_EQ(add("b"), Once::applied);
  EXPECT_EQ(store.table().size(), 2u);
}

TEST(Once, IdsAreScopedByConsumer) {
  MemoryStore store;
  auto nothing = [](Transaction&) {};
  EXPECT_EQ(once(store, "one", "a", nothing), Once::applied);
  EXPECT_EQ(once(store, "two", "a", nothing), Once::applied);
}

TEST(Once, OtherContentUnderOneIdIsAConflict) {
  MemoryStore store;
  auto nothing = [](Transaction&) {};
  EXPECT_EQ(once(store, "c", "a", nothing, "10 EUR"), Once::applied);
  EXPECT_EQ(once(store, "c", "a", nothing, "10 EUR"), Once::duplicate);
  EXPECT_EQ(once(store, "c", "a", nothing, "99 EUR"), Once::conflict);
  EXPECT_EQ(once(store, "c", "a", nothing), Once::duplicate) << "content is compared only if both have it";
}

TEST(Once, AnExceptionPassesThroughAndLeavesNothing) {
  MemoryStore store;
  auto fail = [](Transaction& tx) {
    MemoryStore::put(tx, "a", "1");
    throw std::runtime_error("no");
  };
  EXPECT_THROW((void)once(store, "c", "a", fail), std::runtime_error);
  EXPECT_TRUE(store.table().empty());
  EXPECT_EQ(once(store, "c", "a", [](Transaction&) {}), Once::applied);
}

TEST(Once, AnEmptyIdIsRefused) {
  MemoryStore store;
  EXPECT_THROW((void)once(store, "c", "", [](Transaction&) {}), std::invalid_argument);
}

TEST(Once, OfManyThreadsWithOneIdExactlyOneApplies) {
  MemoryStore store;
  for (int round = 0; round < 50; ++round) {
    const std::string id = "id" + std::to_string(round);
    std::atomic<int> applied = 0, ran = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        const Once result = once(store, "c", id, [&](Transaction& tx) {
          ++ran;
          MemoryStore::put(tx, id, MemoryStore::get(tx, id) ? "twice" : "1");
        });
        if (result == Once::applied) ++applied;
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(applied, 1);
  }
  for (const auto& [id, value] : store.table()) EXPECT_EQ(value, "1") << id;
}

}  // namespace
}  // namespace idem::test
