#include <gtest/gtest.h>

#include <stdexcept>

#include "runtime/failpoint.h"

namespace idem::failpoint {
namespace {

class Failpoint : public ::testing::Test {
 protected:
  ~Failpoint() override { arm(""); }
};

TEST_F(Failpoint, IsOffUnlessArmed) {
  EXPECT_FALSE(armed);
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
}

TEST_F(Failpoint, FailsOnceAtTheGivenHit) {
  arm("a:error@3");
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
  EXPECT_FALSE(IDEM_FAILPOINT("b"));
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
  EXPECT_TRUE(IDEM_FAILPOINT("a"));
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
}

TEST_F(Failpoint, FailsAtTheFirstHitWithoutANumber) {
  arm("a:error");
  EXPECT_TRUE(IDEM_FAILPOINT("a"));
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
}

TEST_F(Failpoint, KeepsFailingWithAPlus) {
  arm("a:error@2+,b:error");
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
  EXPECT_TRUE(IDEM_FAILPOINT("a"));
  EXPECT_TRUE(IDEM_FAILPOINT("a"));
  EXPECT_TRUE(IDEM_FAILPOINT("b"));
}

TEST_F(Failpoint, ArmingAgainReplaces) {
  arm("a:error@1+");
  arm("b:error");
  EXPECT_FALSE(IDEM_FAILPOINT("a"));
  EXPECT_TRUE(IDEM_FAILPOINT("b"));
  arm("");
  EXPECT_FALSE(armed);
}

TEST_F(Failpoint, KillsTheProcess) {
  EXPECT_EXIT(
      {
        arm("a:kill@2");
        (void)IDEM_FAILPOINT("a");
        (void)IDEM_FAILPOINT("a");
      },
      ::testing::KilledBySignal(SIGKILL), "");
}

TEST_F(Failpoint, AMistakeInTheSpecificationIsRefused) {
  for (const char* wrong : {"a", "a:", "a:explode", "a:error@", "a:error@0", "a:error@-1", "a:error@x",
                            "a:error@1x", "a:kill@1,b"})
    EXPECT_THROW(arm(wrong), std::invalid_argument) << wrong;
}

}  // namespace
}  // namespace idem::failpoint
