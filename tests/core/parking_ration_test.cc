#include "core/parking_ration.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace idem::core {
namespace {

using namespace std::chrono_literals;

struct ParkingRationTest : testing::Test {
  ParkingRationTest() {
    options.parking_allowance = 3;
    options.successes_per_parking = 10;
    options.parking_interval = 10min;
  }
  static int take_all(ParkingRation& ration) {
    int taken = 0;
    while (taken < 1'000 && ration.take()) ++taken;
    return taken;
  }

  CircuitBreaker options;
  Ticks now{1h};
};

TEST_F(ParkingRationTest, AnAllowanceIsThereBeforeAnySuccess) {
  ParkingRation ration(options);
  EXPECT_FALSE(ration.used_up());
  EXPECT_EQ(take_all(ration), 3);
  EXPECT_TRUE(ration.used_up());
}

TEST_F(ParkingRationTest, SuccessesEarnItAgainUpToTheAllowance) {
  ParkingRation ration(options);
  take_all(ration);
  for (int i = 0; i < 9; ++i) ration.succeeded();
  EXPECT_EQ(take_all(ration), 0);
  ration.succeeded();
  EXPECT_EQ(take_all(ration), 1);
  for (int i = 0; i < 10'000; ++i) ration.succeeded();
  EXPECT_EQ(take_all(ration), 3) << "what went well long ago says nothing of today";
}

TEST_F(ParkingRationTest, WhatIsGivenBackCanBeTakenAgain) {
  ParkingRation ration(options);
  take_all(ration);
  ration.give_back();
  EXPECT_EQ(take_all(ration), 1);
}

TEST_F(ParkingRationTest, UsedUpForLongItGrantsOneAtATime) {
  ParkingRation ration(options);
  take_all(ration);
  for (int i = 0; i < 3; ++i) {
    ration.tick(now);
    now += 10min - 1ms;
    ration.tick(now);
    EXPECT_EQ(take_all(ration), 0);
    now += 1ms;
    ration.tick(now);
    EXPECT_EQ(take_all(ration), 1);
  }
}

TEST_F(ParkingRationTest, TheTimeOfAnOutageGrantsNothing) {
  ParkingRation ration(options);
  take_all(ration);
  ration.hold(true);
  ration.tick(now);
  now += 24h;
  ration.tick(now);
  ration.hold(false);
  ration.tick(now);
  EXPECT_EQ(take_all(ration), 0);
}

TEST_F(ParkingRationTest, SwitchedOffItIsNeverUsedUp) {
  options.enabled = false;
  ParkingRation ration(options);
  EXPECT_EQ(take_all(ration), 1'000);
  EXPECT_FALSE(ration.used_up());
}

TEST_F(ParkingRationTest, WorkersTogetherDoNotOverspendIt) {
  options.parking_allowance = 1'000;
  ParkingRation ration(options);
  std::atomic<int> taken{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&] {
      for (int j = 0; j < 1'000; ++j) taken += ration.take();
    });
  for (auto& worker : workers) worker.join();
  EXPECT_EQ(taken, 1'000);
}

}  // namespace
}  // namespace idem::core
