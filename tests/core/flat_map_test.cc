#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <unordered_map>

#include "core/flat_map.h"

namespace idem::core {
namespace {

struct Good {
  std::uint64_t operator()(std::uint64_t key) const { return key * 0x9e3779b97f4a7c15u >> 7; }
};
/// Everything in three places at the end of the table: long runs that wrap around.
struct Bad {
  std::uint64_t operator()(std::uint64_t key) const { return UINT64_MAX - key % 3; }
};

template <class Hash>
void agree_with_unordered_map(std::uint64_t keys, int steps) {
  std::mt19937_64 random(7);
  FlatMap<std::uint64_t, int, Hash> map;
  std::unordered_map<std::uint64_t, int> model;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t key = random() % keys;
    switch (random() % 3) {
      case 0: {
        const auto [value, fresh] = map.insert(key, step);
        const auto [expected, expected_fresh] = model.emplace(key, step);
        ASSERT_EQ(fresh, expected_fresh);
        ASSERT_EQ(*value, expected->second);
        break;
      }
      case 1:
        ASSERT_EQ(map.erase(key), model.erase(key) == 1);
        break;
      case 2: {
        const int* value = map.find(key);
        const auto expected = model.find(key);
        ASSERT_EQ(value != nullptr, expected != model.end());
        if (value) {
          ASSERT_EQ(*value, expected->second);
        }
      }
    }
    ASSERT_EQ(map.size(), model.size());
  }
  for (const auto& [key, value] : model) {
    ASSERT_NE(map.find(key), nullptr);
    ASSERT_EQ(*map.find(key), value);
  }
}

TEST(FlatMap, AgreesWithUnorderedMap) { agree_with_unordered_map<Good>(5'000, 200'000); }
TEST(FlatMap, AgreesWithUnorderedMapWhenHashesCollide) { agree_with_unordered_map<Bad>(60, 50'000); }

TEST(FlatMap, AnEmptyOneFindsNothing) {
  FlatMap<std::uint64_t, int, Good> map;
  EXPECT_EQ(map.find(1), nullptr);
  EXPECT_FALSE(map.erase(1));
}

TEST(FlatMap, InsertKeepsWhatIsThere) {
  FlatMap<std::uint64_t, int, Good> map;
  EXPECT_TRUE(map.insert(1, 10).second);
  EXPECT_FALSE(map.insert(1, 20).second);
  EXPECT_EQ(*map.find(1), 10);
}

}  // namespace
}  // namespace idem::core
