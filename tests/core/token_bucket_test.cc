#include "core/token_bucket.h"

#include <gtest/gtest.h>

namespace idem::core {
namespace {

using namespace std::chrono_literals;

int take_all(TokenBucket& bucket) {
  int taken = 0;
  for (; taken < 10'000 && !bucket.empty(); ++taken) bucket.take();
  return taken;
}

TEST(TokenBucket, IsFullAtTheBeginning) {
  Ticks now{1h};
  TokenBucket bucket({10, 4});
  bucket.tick(now);
  EXPECT_EQ(take_all(bucket), 4);
  EXPECT_EQ(bucket.next(), now + 100ms);
}

TEST(TokenBucket, GivesOneAtATimeWhenItIsEmpty) {
  Ticks now{1h};
  TokenBucket bucket({10, 4});
  bucket.tick(now);
  take_all(bucket);
  for (int i = 0; i < 100; ++i) {
    bucket.tick(now += 99ms);
    EXPECT_TRUE(bucket.empty());
    bucket.tick(now += 1ms);
    EXPECT_EQ(take_all(bucket), 1);
  }
}

TEST(TokenBucket, FillsUpToTheBurstAndNoFurther) {
  Ticks now{1h};
  TokenBucket bucket({10, 4});
  bucket.tick(now);
  take_all(bucket);
  bucket.tick(now += 200ms);
  EXPECT_EQ(take_all(bucket), 2);
  bucket.tick(now += 24h);
  EXPECT_EQ(take_all(bucket), 4);
}

TEST(TokenBucket, KeepsTheRateOverALongTimeWhateverTheSteps) {
  for (double rate : {0.001, 3.0, 100.0, 999.0, 70'000.0, 1'000'000.0}) {
    Ticks now{1h};
    TokenBucket bucket({rate, 1});
    bucket.tick(now);
    take_all(bucket);
    const auto step = rate < 1 ? 7'000ms : 7ms;
    double taken = 0, due = 0;
    for (int i = 0; i < 500; ++i) {
      bucket.tick(now += step);
      taken += take_all(bucket);
      due += rate * std::chrono::duration<double>(step).count();
    }
    EXPECT_NEAR(taken, due, 1 + due / 1'000) << rate;
  }
}

TEST(TokenBucket, WithoutALimitIsNeverEmpty) {
  TokenBucket bucket({0, 1});
  EXPECT_EQ(take_all(bucket), 10'000);
}

}  // namespace
}  // namespace idem::core
