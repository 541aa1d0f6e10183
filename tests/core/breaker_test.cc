// When the breaker opens, how it probes, what closes it.
#include "core/breaker.h"

#include <gtest/gtest.h>

namespace idem::core {
namespace {

using namespace std::chrono_literals;
using State = Breaker::State;
using Kind = BreakerChange::Kind;

struct BreakerTest : testing::Test {
  BreakerTest() {
    options.failure_share = 0.8;
    options.minimum_failures = 5;
    options.window = 10s;
    options.first_pause = 1s;
    options.max_pause = 4s;
    options.probes = 3;
  }
  /// Call after changing `options`.
  Breaker& breaker() {
    if (!breaker_) breaker_.emplace(options);
    return *breaker_;
  }
  /// Messages that each fail for the first time.
  void fail(int messages) {
    for (int i = 0; i < messages; ++i) {
      std::optional<Ticks> counted;
      breaker().failed(now, counted);
    }
  }
  void succeed(int messages) {
    for (int i = 0; i < messages; ++i) breaker().succeeded(now);
  }
  void open_it() {
    fail(options.minimum_failures);
    ASSERT_EQ(breaker().state(), State::open);
  }
  void wait(std::chrono::milliseconds time) {
    now += time;
    breaker().tick(now);
  }
  void probe(bool good) {
    ASSERT_EQ(breaker().state(), State::half_open);
    breaker().probe_sent(now);
    breaker().probe_back();
    good ? breaker().probe_succeeded(now) : breaker().probe_failed(now);
  }
  std::vector<Kind> changes() {
    std::vector<Kind> kinds;
    for (const BreakerChange& change : breaker().take_changes()) kinds.push_back(change.kind);
    return kinds;
  }

  CircuitBreaker options;
  Ticks now{1h};

 private:
  std::optional<Breaker> breaker_;
};

// Three poisoned messages in a row, and nothing else: tried again and again, they are still three.
TEST_F(BreakerTest, AFewMessagesThatFailAgainAndAgainDoNotOpenIt) {
  std::optional<Ticks> counted[3];
  for (int attempt = 0; attempt < 100; ++attempt) {
    for (auto& message : counted) breaker().failed(now, message);
    wait(attempt < 50 ? 10ms : 30s);
  }
  EXPECT_EQ(breaker().state(), State::closed);
}

TEST_F(BreakerTest, EnoughDifferentOnesDo) {
  fail(4);
  EXPECT_EQ(breaker().state(), State::closed);
  fail(1);
  EXPECT_EQ(breaker().state(), State::open);
  EXPECT_EQ(breaker().opened_by().failed, 5u);
  EXPECT_EQ(breaker().opened_by().tried, 5u);
  EXPECT_EQ(changes(), (std::vector{Kind::opened}));
  EXPECT_EQ(breaker().opened(), 1u);
}

TEST_F(BreakerTest, OnlyIfTheyAreTheShare) {
  succeed(3);
  fail(11);
  EXPECT_EQ(breaker().state(), State::closed) << "11 of 14";
  fail(1);
  EXPECT_EQ(breaker().state(), State::open) << "12 of 15";
  EXPECT_EQ(breaker().opened_by().tried, 15u);
}

TEST_F(BreakerTest, WhatIsOlderThanTheWindowDoesNotCount) {
  succeed(1'000);
  wait(5s);
  fail(10);
  EXPECT_EQ(breaker().state(), State::closed);
  wait(5s);
  fail(1);
  EXPECT_EQ(breaker().state(), State::open);
  EXPECT_EQ(breaker().opened_by().tried, 11u);
}

TEST_F(BreakerTest, FailuresOneByOneOverALongTimeDoNotOpenIt) {
  for (int i = 0; i < 100; ++i) {
    fail(1);
    wait(i % 2 == 0 ? 3s : 24h);
  }
  EXPECT_EQ(breaker().state(), State::closed);
}

TEST_F(BreakerTest, AMessageThatStillFailsCountsInEachWindow) {
  std::optional<Ticks> counted[5];
  for (auto& message : counted) {
    breaker().failed(now, message);
    wait(3s);
  }
  EXPECT_EQ(breaker().state(), State::closed) << "the first is too old";
  for (auto& message : counted) breaker().failed(now, message);
  EXPECT_EQ(breaker().state(), State::open);
}

TEST_F(BreakerTest, TheFirstProbeGoesAfterThePause) {
  open_it();
  EXPECT_EQ(breaker().next_due(), now + 1s);
  wait(999ms);
  EXPECT_EQ(breaker().state(), State::open);
  wait(1ms);
  EXPECT_EQ(breaker().state(), State::half_open);
  EXPECT_FALSE(breaker().next_due()) << "whoever has a message to probe with goes ahead";
}

TEST_F(BreakerTest, ThePauseDoublesUpToItsLimit) {
  open_it();
  for (auto pause : {1s, 2s, 4s, 4s, 4s}) {
    EXPECT_EQ(breaker().next_due(), now + pause);
    wait(pause);
    probe(false);
    EXPECT_EQ(breaker().state(), State::open);
  }
  EXPECT_EQ(changes().size(), 6u);
}

TEST_F(BreakerTest, AfterAReturnThePausesBeginAnew) {
  open_it();
  wait(1s);
  probe(false);
  wait(2s);
  for (int i = 0; i < 3; ++i) probe(true);
  open_it();
  EXPECT_EQ(breaker().next_due(), now + 1s);
}

TEST_F(BreakerTest, ProbesInARowCloseIt) {
  open_it();
  wait(1s);
  probe(true);
  probe(true);
  probe(false);
  wait(2s);
  probe(true);
  probe(true);
  EXPECT_EQ(breaker().state(), State::half_open);
  probe(true);
  EXPECT_EQ(breaker().state(), State::closed);
  EXPECT_EQ(breaker().closed(), 1u);
  EXPECT_FALSE(breaker().next_due());
  EXPECT_EQ(changes(), (std::vector{Kind::opened, Kind::probe_failed, Kind::closed}));
}

TEST_F(BreakerTest, ClosedAgainItCountsFromNothing) {
  std::optional<Ticks> counted[5];
  for (auto& message : counted) breaker().failed(now, message);
  wait(1s);
  for (int i = 0; i < 3; ++i) probe(true);
  fail(4);
  EXPECT_EQ(breaker().state(), State::closed) << "what opened it is forgotten";
  breaker().failed(now, counted[0]);
  EXPECT_EQ(breaker().state(), State::open) << "and who failed then may fail anew";
}

TEST_F(BreakerTest, AProbeThatDoesNotReturnHasFailed) {
  open_it();
  wait(1s);
  breaker().probe_sent(now);
  EXPECT_EQ(breaker().next_due(), now + 4s);
  wait(3'999ms);
  EXPECT_FALSE(breaker().give_probe_up(now));
  wait(1ms);
  EXPECT_TRUE(breaker().give_probe_up(now));
  EXPECT_EQ(breaker().state(), State::open);
  EXPECT_EQ(breaker().next_due(), now + 2s);
  EXPECT_EQ(changes(), (std::vector{Kind::opened, Kind::probe_overdue}));
}

TEST_F(BreakerTest, OneThatSucceedsAfterAllCounts) {
  options.probes = 2;
  open_it();
  wait(1s);
  breaker().probe_sent(now);
  wait(4s);
  ASSERT_TRUE(breaker().give_probe_up(now));
  breaker().probe_succeeded(now);
  EXPECT_EQ(breaker().state(), State::half_open);
  EXPECT_FALSE(breaker().next_due());
  probe(true);
  EXPECT_EQ(breaker().state(), State::closed);
}

TEST_F(BreakerTest, WhatWasUnderWayWhenItOpenedChangesNothing) {
  open_it();
  fail(10);
  succeed(10);
  breaker().probe_failed(now);
  EXPECT_EQ(breaker().next_due(), now + 1s);
  EXPECT_EQ(changes(), (std::vector{Kind::opened}));
}

TEST_F(BreakerTest, SwitchedOffItNeverOpens) {
  options.enabled = false;
  fail(1'000);
  EXPECT_EQ(breaker().state(), State::closed);
  EXPECT_EQ(changes(), std::vector<Kind>{});
}

}  // namespace
}  // namespace idem::core
