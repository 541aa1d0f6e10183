// Copies of one id in flight at once: the one received later waits, holding no worker.
#include "core_fixture.h"

namespace idem::core {
namespace {

using Copies = CoreTest;
using Kind = Completion::Kind;

TEST_F(Copies, TheSecondWaitsForTheFirst) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  receive(p, 0, "x");
  receive(p, 1, "x");
  receive(p, 2, "y");
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 2}));
  complete_offset(0);
  EXPECT_EQ(dispatched_offsets(), (Offsets{1}));
}

TEST_F(Copies, TheyWaitInTheOrderOfReceipt) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  for (int offset = 0; offset < 4; ++offset) receive(p, offset, "x");
  for (std::int64_t offset = 0; offset < 4; ++offset) {
    EXPECT_EQ(dispatched_offsets(), (Offsets{offset}));
    complete_offset(offset);
    return_batches();
  }
}

TEST_F(Copies, AWaitingOneHoldsItsLane) {
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0, "x");
  receive(b, 0, "x");
  receive(b, 1, "y");
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
  complete_offset(0);
  return_batches();
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 1}));
}

TEST_F(Copies, TwoLanesThatCrossDoNotBlockEachOther) {
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0, "x");
  receive(b, 0, "y");
  receive(a, 1, "y");
  receive(b, 1, "x");
  dispatch();
  complete_all();
  EXPECT_EQ(dispatched_offsets(), (Offsets{1, 1}));
}

TEST_F(Copies, TheOneThatWaitsForARetryIsStillTheFirst) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  receive(p, 0, "x");
  receive(p, 1, "x");
  dispatch();
  complete_offset(0, Kind::retry);
  EXPECT_EQ(dispatched_offsets(), (Offsets{}));
}

TEST_F(Copies, AMiddleOneMayGoAway) {
  options.ordering = Ordering::unordered;
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0, "x");
  receive(b, 0, "x");
  receive(a, 1, "x");
  dispatch();
  core().release(b.handle());
  complete_offset(0);
  return_batches();
  EXPECT_EQ(dispatched_offsets(), (Offsets{1}));
}

TEST_F(Copies, AFreshAssignmentWaitsForTheStaleCopy) {
  Partition& p = assign(0);
  receive(p, 5, "x");
  dispatch();
  core().release(p.handle());
  Partition& again = assign(0);
  Partition& other = assign(1);
  receive(other, 9, "x");
  receive(again, 5, "x");
  EXPECT_EQ(dispatched_offsets(), (Offsets{}));
  complete_all();
  EXPECT_EQ(dispatched_offsets(), (Offsets{9}));
  complete_all();
  EXPECT_EQ(dispatched_offsets(), (Offsets{5}));
}

TEST_F(Copies, WithoutAnIdThePositionTellsCopies) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  receive(p, 5);
  dispatch();
  core().release(p.handle());
  Partition& again = assign(0);
  receive(again, 5);
  receive(again, 6);
  return_batches();
  EXPECT_EQ(dispatched_offsets(), (Offsets{6}));
}

TEST_F(Copies, WithoutAnIdOrStablePositionsNothingIsACopy) {
  options.ordering = Ordering::unordered;
  options.stable_positions = false;
  Partition& p = assign(0);
  receive(p, 1);
  receive(p, 1);
  EXPECT_EQ(dispatched_offsets(), (Offsets{1, 1}));
}

}  // namespace
}  // namespace idem::core
