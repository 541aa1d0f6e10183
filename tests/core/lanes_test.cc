// Who may run beside whom: lanes by partition, by key, and none.
#include "core_fixture.h"

namespace idem::core {
namespace {

using Lanes = CoreTest;
using Kind = Completion::Kind;

TEST_F(Lanes, APartitionIsWorkedByOneBatchAtATime) {
  Partition& p = assign(0);
  receive(p, 0);
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
  receive(p, 1);
  EXPECT_EQ(dispatched_offsets(), (Offsets{})) << "0 is not done";
  complete_offset(0);
  EXPECT_EQ(dispatched_offsets(), (Offsets{1}));
}

TEST_F(Lanes, PartitionsRunBesideEachOther) {
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0);
  receive(b, 0);
  EXPECT_EQ(dispatch().size(), 2u) << "two batches, so two workers";
}

TEST_F(Lanes, AKeyIsWorkedByOneBatchAtATime) {
  options.ordering = Ordering::by_key;
  Partition& p = assign(0);
  receive(p, 0, "", "a");
  receive(p, 1, "", "b");
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 1}));
  receive(p, 2, "", "a");
  receive(p, 3, "", "c");
  EXPECT_EQ(dispatched_offsets(), (Offsets{3}));
  complete_offset(0);
  EXPECT_EQ(dispatched_offsets(), (Offsets{2}));
}

TEST_F(Lanes, MessagesWithoutAKeyHaveNoOrderByKey) {
  options.ordering = Ordering::by_key;
  Partition& p = assign(0);
  for (int offset = 0; offset < 3; ++offset) receive(p, offset);
  EXPECT_EQ(dispatch().size(), 3u);
}

TEST_F(Lanes, AnEmptyKeyIsAKey) {
  options.ordering = Ordering::by_key;
  Partition& p = assign(0);
  receive(p, 0, "", "");
  receive(p, 1, "", "");
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
}

TEST_F(Lanes, OneKeyOnTwoPartitionsIsTwoLanes) {
  options.ordering = Ordering::by_key;
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0, "", "k");
  receive(b, 0, "", "k");
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 0}));
}

TEST_F(Lanes, UnorderedRunsEverything) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  for (int offset = 0; offset < 4; ++offset) receive(p, offset, "", "one key");
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 1, 2, 3}));
}

TEST_F(Lanes, AReturnedMessageRunsAgainBeforeTheNext) {
  Partition& p = assign(0);
  receive(p, 0);
  dispatch();
  receive(p, 1);
  complete_offset(0, Kind::returned);
  return_batches();
  EXPECT_EQ(dispatched_offsets(), (Offsets{0, 1}));
}

TEST_F(Lanes, AMessageWhoseGroupFailedRunsAgainAlone) {
  Partition& p = assign(0);
  Delivery* d = receive(p, 0);
  dispatch();
  complete_offset(0, Kind::not_applied);
  EXPECT_TRUE(d->record.alone);
  EXPECT_EQ(core().counters().not_applied, 1u);
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
}

TEST_F(Lanes, AHeldPartitionRunsNothingMore) {
  Partition& p = assign(0);
  receive(p, 0);
  receive(p, 1);
  core().hold(p.handle());
  EXPECT_EQ(dispatched_offsets(), (Offsets{}));
}

TEST_F(Lanes, AReleasedPartitionDropsWhatWaitsAndForgetsNobody) {
  Partition& p = assign(0);
  receive(p, 0);
  dispatch();
  receive(p, 1);
  receive(p, 2);
  const PartitionHandle before = p.handle();
  Delivery* old = running.front();
  core().release(before);
  EXPECT_TRUE(old->stale());
  EXPECT_EQ(core().find(before), nullptr);
  EXPECT_EQ(core().counters().abandoned, 2u);
  EXPECT_EQ(core().counters().in_flight, 1u) << "the one with the worker";

  Partition& again = assign(0);
  receive(again, 0);
  EXPECT_EQ(dispatched_offsets(), (Offsets{})) << "the old one is still in the lane";
  complete(old);
  EXPECT_EQ(core().counters().stale_completions, 1u);
  EXPECT_EQ(core().committable(again), 0) << "a stale completion moves nothing on";
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
  complete_offset(0);
  EXPECT_EQ(core().committable(again), 1);
  expect_balanced_books();
}

TEST_F(Lanes, MessagesOfAnOldAssignmentAreNotReceived) {
  Partition& p = assign(0);
  const PartitionHandle before = p.handle();
  assign(0);
  Message message;
  EXPECT_EQ(core().receive(before, message), nullptr);
  EXPECT_EQ(core().receive({99, 1}, message), nullptr);
  expect_balanced_books();
}

}  // namespace
}  // namespace idem::core
