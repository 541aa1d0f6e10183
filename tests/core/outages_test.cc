// What the core does while the breaker is not closed, what a parking takes from the ration, and the rate limit.
#include "core_fixture.h"

namespace idem::core {
namespace {

using namespace std::chrono_literals;
using Kind = Completion::Kind;
using State = Breaker::State;

struct Outages : CoreTest {
  Outages() {
    options.ordering = Ordering::unordered;
    options.retry.first_backoff = options.retry.max_backoff = 10ms;
    options.circuit_breaker.minimum_failures = 3;
    options.circuit_breaker.first_pause = 1s;
    options.circuit_breaker.max_pause = 4s;
    options.circuit_breaker.probes = 2;
    options.circuit_breaker.parking_allowance = 2;
    options.circuit_breaker.successes_per_parking = 2;
  }

  /// Three messages at 0, 1, 2 fail; nothing is with a worker afterwards.
  void open_the_breaker(Partition& p) {
    wait(0ms);
    for (int offset = 0; offset < 3; ++offset) receive(p, offset);
    dispatch();
    for (int offset = 0; offset < 3; ++offset) complete_offset(offset, Kind::retry);
    return_batches();
    ASSERT_EQ(core().breaker().state(), State::open);
  }
  /// What goes out now, and the batch is back.
  Offsets next() {
    const Offsets offsets = dispatched_offsets();
    return_batches();
    return offsets;
  }
};

TEST_F(Outages, WhileItIsOpenNothingGoesOutAndWhatComesInWaits) {
  options.budget.messages = 5;
  Partition& p = assign(0);
  open_the_breaker(p);
  receive(p, 3);
  EXPECT_FALSE(core().wants_pause(p)) << "the source is paused by the budget, not before";
  receive(p, 4);
  EXPECT_TRUE(core().wants_pause(p));
  wait(999ms);
  EXPECT_EQ(next(), (Offsets{}));
  EXPECT_EQ(core().next_due(), now + 1ms);
  expect_balanced_books();
}

TEST_F(Outages, TheProbeIsOneMessageAndOneThatHasNotBeenTried) {
  Partition& p = assign(0);
  open_the_breaker(p);
  wait(500ms);  // the retries are due, and before the new ones in the order of the lanes
  receive(p, 3);
  receive(p, 4);
  wait(500ms);
  EXPECT_EQ(next(), (Offsets{3}));
  EXPECT_EQ(next(), (Offsets{})) << "one at a time";
  complete_offset(3);
  EXPECT_EQ(next(), (Offsets{4}));
  complete_offset(4);
  EXPECT_EQ(core().breaker().state(), State::closed);
  EXPECT_EQ(next().size(), 3u);
  EXPECT_EQ(core().counters().probes, 2u);
  EXPECT_EQ(core().counters().breaker_opened, 1u);
  EXPECT_EQ(core().counters().breaker_closed, 1u);
}

TEST_F(Outages, AfterAProbeThatFailsItWaitsLonger) {
  Partition& p = assign(0);
  open_the_breaker(p);
  for (auto pause : {1s, 2s, 4s, 4s}) {
    EXPECT_EQ(next(), (Offsets{}));
    EXPECT_EQ(core().breaker().next_due(), now + pause);
    wait(pause);
    const Offsets probe = next();
    ASSERT_EQ(probe.size(), 1u);
    complete_offset(probe[0], Kind::retry);
  }
}

TEST_F(Outages, WithNothingButFailedOnesTheyAreProbedInTurn) {
  Partition& p = assign(0);
  open_the_breaker(p);
  Offsets probes;
  for (int i = 0; i < 3; ++i) {
    wait(4s);
    probes.push_back(next().at(0));
    complete_offset(probes.back(), Kind::retry);
  }
  std::sort(probes.begin(), probes.end());
  EXPECT_EQ(probes, (Offsets{0, 1, 2}));
}

TEST_F(Outages, InALaneOnlyItsHeadIsProbed) {
  options.ordering = Ordering::by_partition;
  for (int i = 0; i < 3; ++i) receive(assign(i), 0);
  wait(0ms);
  dispatch();
  while (!running.empty()) complete(running.front(), Kind::retry);
  return_batches();
  receive(core().partitions()[0], 1);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{0}));
  EXPECT_EQ(next(), (Offsets{}));
}

// What a duplicate or a dead letter ends in does not say whether the dependency is there again.
TEST_F(Outages, WhatSaysNothingIsFollowedByAnotherProbe) {
  Partition& p = assign(0);
  open_the_breaker(p);
  for (int offset = 3; offset < 6; ++offset) receive(p, offset);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  complete(running.front(), Kind::durable, Verdict::duplicate);
  EXPECT_EQ(next(), (Offsets{4}));
  complete(running.front(), Kind::durable, Verdict::parked);
  EXPECT_EQ(core().breaker().state(), State::half_open);
  EXPECT_EQ(next(), (Offsets{5}));
  expect_balanced_books();
}

TEST_F(Outages, AProbeThatHasOnlyBeenClaimedGoesOutAgain) {
  Partition& p = assign(0);
  open_the_breaker(p);
  for (int offset = 3; offset < 6; ++offset) receive(p, offset);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  complete(running.front(), Kind::durable, Verdict::claimed);
  EXPECT_EQ(core().breaker().next_due(), std::nullopt);
  EXPECT_EQ(next(), (Offsets{3})) << "not a claim for every message that waits";
  complete_offset(3);
  EXPECT_EQ(core().breaker().state(), State::half_open) << "one of two";
  EXPECT_EQ(core().counters().probes, 1u);
}

TEST_F(Outages, AStoreThatIsBusyIsNoAnswer) {
  Partition& p = assign(0);
  open_the_breaker(p);
  receive(p, 3);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  complete_offset(3, Kind::store_busy);
  EXPECT_EQ(core().breaker().state(), State::half_open);
  EXPECT_EQ(next(), (Offsets{})) << "the same one again, when the store may be ready";
  wait(500ms);
  EXPECT_EQ(next(), (Offsets{3}));
}

TEST_F(Outages, AProbeWhosePartitionIsTakenAwayIsReplaced) {
  Partition& p = assign(0);
  Partition& other = assign(1);
  open_the_breaker(p);
  receive(p, 3);
  receive(other, 7);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  core().release(p.handle());
  EXPECT_EQ(next(), (Offsets{})) << "its handler may still say something";
  complete_offset(3);
  EXPECT_EQ(core().breaker().state(), State::half_open) << "but not for this assignment";
  EXPECT_EQ(next(), (Offsets{7}));
  expect_balanced_books();
}

TEST_F(Outages, SoIsOneThatWaitsToGoOutAgain) {
  Partition& p = assign(0);
  Partition& other = assign(1);
  open_the_breaker(p);
  receive(p, 3);
  receive(other, 7);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  complete(running.front(), Kind::durable, Verdict::claimed);
  core().release(p.handle());
  EXPECT_EQ(next(), (Offsets{7}));
}

TEST_F(Outages, AProbeThatHangsIsGivenUpAndCountsIfItSucceedsAfterAll) {
  Partition& p = assign(0);
  open_the_breaker(p);
  for (int offset = 3; offset < 6; ++offset) receive(p, offset);
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  EXPECT_EQ(core().breaker().next_due(), now + 4s);
  wait(4s);
  EXPECT_EQ(core().breaker().state(), State::open);
  wait(2s);
  EXPECT_EQ(next(), (Offsets{4}));
  complete_offset(3);
  EXPECT_EQ(core().breaker().next_due(), now + 4s) << "the present one is still waited for";
  complete_offset(4);
  EXPECT_EQ(core().breaker().state(), State::closed);
}

TEST_F(Outages, AnOverdueSuccessIsAFailure) {
  Partition& p = assign(0);
  wait(0ms);
  for (int offset = 0; offset < 3; ++offset) receive(p, offset)->overdue = true;
  dispatch();
  complete_all();
  EXPECT_EQ(core().breaker().state(), State::open);
  EXPECT_EQ(core().counters().done, 3u);
  receive(p, 3)->overdue = true;
  wait(1s);
  EXPECT_EQ(next(), (Offsets{3}));
  complete_offset(3);
  EXPECT_EQ(core().breaker().state(), State::open);
}

TEST_F(Outages, DeadLettersAndDuplicatesOpenNothing) {
  Partition& p = assign(0);
  wait(0ms);
  for (int offset = 0; offset < 8; ++offset) receive(p, offset);
  dispatch();
  for (int i = 0; i < 8; ++i)
    complete(running.front(), Kind::durable, i % 2 == 0 ? Verdict::parked : Verdict::duplicate);
  EXPECT_EQ(core().breaker().state(), State::closed);
}

// --- The ration -----------------------------------------------------------------------------------------------------

TEST_F(Outages, NothingMayBeGivenUpUntilItIsClosed) {
  Partition& p = assign(0);
  open_the_breaker(p);
  const ParkingRation& ration = *receive(p, 3)->ration;
  EXPECT_TRUE(ration.held());
  wait(1s);
  EXPECT_TRUE(ration.held()) << "half open";
  complete_offset(next().at(0));
  EXPECT_TRUE(ration.held());
  complete_offset(next().at(0));
  EXPECT_FALSE(ration.held());
}

TEST_F(Outages, OnlyADurableParkingSpendsTheRation) {
  Partition& p = assign(0);
  ParkingRation* ration = nullptr;
  const auto park = [&](std::int64_t offset, Kind kind, ParkReason reason, bool released = false) {
    Delivery* d = receive(p, offset);
    wait(100ms);
    dispatch();
    ration = d->ration;
    ASSERT_TRUE(d->rationed = ration->take());
    d->park_reason = reason;
    if (released) core().release(p.handle());
    complete(d, kind, Verdict::parked);
    return_batches();
  };
  const auto left = [&] {
    int taken = 0;
    while (ration->take()) ++taken;
    for (int i = 0; i < taken; ++i) ration->give_back();
    return taken;
  };
  park(0, Kind::not_applied, ParkReason::attempts_exhausted);
  EXPECT_EQ(left(), 2);
  park(1, Kind::returned, ParkReason::attempts_exhausted);
  EXPECT_EQ(left(), 2);
  park(2, Kind::durable, ParkReason::dead_letter);
  EXPECT_EQ(left(), 2) << "its handler was called once more and decided otherwise";
  park(3, Kind::durable, ParkReason::attempts_exhausted);
  EXPECT_EQ(left(), 1);
  park(4, Kind::store_busy, ParkReason::attempts_exhausted, /*released=*/true);
  EXPECT_EQ(left(), 1);
}

TEST_F(Outages, WhatIsToBeParkedInTheNextBatchKeepsItsPart) {
  Partition& p = assign(0);
  Delivery* d = receive(p, 0);
  wait(0ms);
  dispatch();
  ASSERT_TRUE(d->rationed = d->ration->take());
  d->must_park = ParkReason::attempts_exhausted;
  complete(d, Kind::returned);
  EXPECT_TRUE(d->rationed);
  core().release(p.handle());
  EXPECT_TRUE(d->ration->take());
  EXPECT_TRUE(d->ration->take()) << "given back with the partition";
}

TEST_F(Outages, WithheldOnesAreCountedWhileTheyAreThere) {
  options.retry.attempts = 2;
  Partition& p = assign(0);
  Delivery* d = receive(p, 0);
  for (int i = 0; i < 3; ++i) {
    wait(1s);
    dispatch();
    complete_offset(0, Kind::retry);
    return_batches();
  }
  EXPECT_EQ(core().counters().parkings_withheld, 2u);
  EXPECT_EQ(core().withheld(), 0u) << "there is something left for it";
  while (d->ration->take()) {
  }
  EXPECT_EQ(core().withheld(), 1u);
  wait(1s);
  dispatch();
  complete_offset(0);
  EXPECT_EQ(core().withheld(), 0u);
}

// --- The rate limit -------------------------------------------------------------------------------------------------

struct RateLimited : Outages {
  RateLimited() { options.rate_limit = {10, 3}; }
};

TEST_F(RateLimited, ABurstAndThenOneAtATimeExactlyWhenItIsDue) {
  Partition& p = assign(0);
  for (int offset = 0; offset < 6; ++offset) receive(p, offset);
  wait(0ms);
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 1, 2}));
  for (std::int64_t offset = 3; offset < 6; ++offset) {
    ASSERT_EQ(core().next_due(), now + 100ms);
    wait(99ms);
    EXPECT_EQ(dispatched_offsets(), (Offsets{}));
    wait(1ms);
    EXPECT_EQ(dispatched_offsets(), (Offsets{offset}));
    return_batches();
  }
  EXPECT_FALSE(core().next_due()) << "nothing waits";
}

TEST_F(RateLimited, ALaneGoesOnWhereItStopped) {
  options.ordering = Ordering::by_partition;
  Partition& p = assign(0);
  for (int offset = 0; offset < 5; ++offset) receive(p, offset);
  wait(0ms);
  Offsets all;
  for (int i = 0; i < 100 && all.size() < 5; ++i) {
    for (std::int64_t offset : dispatched_offsets()) all.push_back(offset);
    complete_all();
    wait(10ms);
  }
  EXPECT_EQ(all, (Offsets{0, 1, 2, 3, 4}));
}

TEST_F(RateLimited, EveryAttemptCounts) {
  options.rate_limit.burst = 1;
  Partition& p = assign(0);
  receive(p, 0);
  wait(0ms);
  EXPECT_EQ(next(), (Offsets{0}));
  complete_offset(0, Kind::retry);
  wait(10ms);
  EXPECT_EQ(next(), (Offsets{})) << "due, and not its turn";
  EXPECT_EQ(core().next_due(), now + 80ms) << "a bucket holds 10 ms' worth at least";
  wait(80ms);
  EXPECT_EQ(next(), (Offsets{0}));
}

TEST_F(RateLimited, AnAttemptCountsOnce) {
  options.rate_limit.burst = 1;
  Partition& p = assign(0);
  receive(p, 0);
  wait(0ms);
  EXPECT_EQ(next(), (Offsets{0}));
  complete(running.front(), Kind::durable, Verdict::claimed);
  EXPECT_EQ(next(), (Offsets{0})) << "its call";
  complete_offset(0, Kind::returned);
  EXPECT_EQ(next(), (Offsets{0})) << "not run";
  complete_offset(0, Kind::not_applied);
  EXPECT_EQ(next(), (Offsets{})) << "its handler was called";
}

}  // namespace
}  // namespace idem::core
