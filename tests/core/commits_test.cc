// How far a partition may be committed.
#include "core_fixture.h"

namespace idem::core {
namespace {

using Commits = CoreTest;
using Received = DeliveryCore::Received;

TEST_F(Commits, OnlyTheFinishedPrefixOfReceivedOffsets) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0, 10);
  for (std::int64_t offset : {10, 11, 15, 16}) receive(p, offset);
  EXPECT_EQ(core().committable(p), 10);
  dispatch();
  complete_offset(16);
  complete_offset(11);
  EXPECT_EQ(core().committable(p), 10);
  complete_offset(10);
  EXPECT_EQ(core().committable(p), 12);
  complete_offset(15);
  EXPECT_EQ(core().committable(p), 17) << "gaps in the log do not hold it back";
}

TEST_F(Commits, DuplicatesAndParkedOnesCountAsFinished) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  for (int offset = 0; offset < 2; ++offset) receive(p, offset);
  dispatch();
  complete(running.front(), Completion::Kind::durable, Verdict::duplicate);
  complete(running.front(), Completion::Kind::durable, Verdict::parked);
  EXPECT_EQ(core().committable(p), 2);
  EXPECT_EQ(core().counters().duplicates, 1u);
  EXPECT_EQ(core().counters().parked, 1u);
  expect_balanced_books();
}

TEST_F(Commits, WhatIsFinishedAlreadyIsADuplicateAtOnce) {
  Progress progress(0);
  progress.finish(2, 3, 1'003);
  Partition& p = core().assign({"topic", 0}, 0, progress, 0, std::nullopt, std::nullopt);
  receive(p, 3);
  EXPECT_EQ(received, Received::duplicate);
  EXPECT_EQ(dispatched_offsets(), (Offsets{}));
  EXPECT_EQ(core().counters().duplicates, 1u);
  expect_balanced_books();
}

TEST_F(Commits, TheRememberedRecordIsCompared) {
  Progress progress(0);
  progress.finish(0, 3, 1'003);
  Partition& p = core().assign({"topic", 0}, 0, progress, 3, std::nullopt, progress.last_record());
  receive(p, 3);
  EXPECT_EQ(received, Received::duplicate) << "the same record";

  Progress of_another(0);
  of_another.finish(0, 3, 4'711);
  Partition& q = core().assign({"topic", 1}, 1, of_another, 3, std::nullopt, of_another.last_record());
  receive(q, 3);
  EXPECT_EQ(received, Received::other_record);
  expect_balanced_books();
}

TEST_F(Commits, AnEmptyTailIsSkippedWhenNothingIsInFlight) {
  Partition& p = assign(0);
  receive(p, 0);
  core().at_end(p.handle(), 3);  // two transaction markers behind it
  EXPECT_FALSE(core().skippable(p)) << "0 is in flight";
  dispatch();
  complete_offset(0);
  const auto skip = core().skippable(p);
  ASSERT_TRUE(skip);
  EXPECT_EQ(skip->from, 1);
  EXPECT_EQ(skip->to, 3);
  EXPECT_EQ(core().committable(p), 1) << "not before it is durable";
  core().skipped(p.handle(), *skip);
  EXPECT_EQ(core().committable(p), 3);
  EXPECT_FALSE(core().skippable(p));
}

TEST_F(Commits, NothingIsSkippedBeforeTheEnd) {
  Partition& p = assign(0);
  EXPECT_FALSE(core().skippable(p));
  core().at_end(p.handle(), 0);
  EXPECT_FALSE(core().skippable(p)) << "nothing there to skip";
}

TEST_F(Commits, ASkipOfAnOldAssignmentDoesNothing) {
  Partition& p = assign(0);
  const PartitionHandle before = p.handle();
  assign(0);
  core().skipped(before, {0, 5});
  EXPECT_EQ(core().committable(p), 0);
}

}  // namespace
}  // namespace idem::core
