// Each verdict of check_relayed on an injected flaw.
#include <gtest/gtest.h>

#include "kills/outlet.h"

namespace idem::kills {
namespace {

struct RelayCheck : testing::Test {
  std::vector<Effect> effects = {{"a", 0, 1, "k", 5}, {"b", 0, 2, "k", 5}, {"c", 0, 3, "other", 5}};
  std::vector<Relayed> relayed;
  void SetUp() override {
    int made = 0;
    for (const Effect& effect : effects) relayed.push_back({"id" + std::to_string(++made), name_of(effect), effect.key});
  }
  RelayVerdict verdict() const { return check_relayed(effects, relayed); }
};

TEST_F(RelayCheck, AllIsWell) {
  EXPECT_TRUE(verdict().verdict.clean());
  EXPECT_EQ(verdict().copies, 0u);
}
TEST_F(RelayCheck, ACopyWithItsIdIsNoFlaw) {
  relayed.push_back(relayed[0]);
  EXPECT_TRUE(verdict().verdict.clean());
  EXPECT_EQ(verdict().copies, 1u);
}
TEST_F(RelayCheck, AMissingOne) {
  relayed.erase(relayed.begin() + 1);
  EXPECT_EQ(verdict().verdict.of(Flaw::not_relayed), 1u);
}
TEST_F(RelayCheck, ASecondIdForOneEffect) {
  relayed.push_back(relayed[1]);
  relayed.back().id = "another";
  EXPECT_EQ(verdict().verdict.of(Flaw::relayed_twice), 1u);
}
TEST_F(RelayCheck, OneThatWasRolledBack) {
  relayed.push_back({"id9", "nobody", "k"});
  EXPECT_EQ(verdict().verdict.of(Flaw::relayed_without_effect), 1u);
}
TEST_F(RelayCheck, OrderOfAKey) {
  std::swap(relayed[1], relayed[2]);
  EXPECT_TRUE(verdict().verdict.clean()) << "of different keys";
  std::swap(relayed[0], relayed[2]);
  EXPECT_EQ(verdict().verdict.of(Flaw::relayed_out_of_order), 1u);
}

}  // namespace
}  // namespace idem::kills
