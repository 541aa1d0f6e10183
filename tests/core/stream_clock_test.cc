// Stream time: what it must stand still for, and what must not make it jump.
#include <gtest/gtest.h>

#include "core/stream_clock.h"

namespace idem::core {
namespace {

using namespace std::chrono_literals;

class StreamClock : public ::testing::Test {
 protected:
  Partition& partition(std::optional<Timestamp> newest, bool at_end) {
    Partition& p = partitions.emplace_back();
    p.assigned = true;
    p.newest = newest;
    p.at_end = at_end;
    return p;
  }
  std::deque<Partition> partitions;
  const Timestamp today{std::chrono::days(20'000)};
};

TEST_F(StreamClock, SaysNothingBeforeTheFirstMessage) {
  EXPECT_FALSE(stream_time(partitions, today).time);
  partition(std::nullopt, true);
  EXPECT_FALSE(stream_time(partitions, today).time);
}

TEST_F(StreamClock, IsTheHighestTimestampOfReadPartitions) {
  partition(today - 3h, true);
  partition(today - 1h, true);
  EXPECT_EQ(stream_time(partitions, today).time, today - 1h);
  EXPECT_EQ(stream_time(partitions, today).held_back, nullptr);
}

TEST_F(StreamClock, StandsStillWhileTheConsumerIsDown) {
  partition(today, true);
  EXPECT_EQ(stream_time(partitions, today + 240h).time, today) << "ten days later, nothing new was read";
}

TEST_F(StreamClock, AMessageFromTheFutureDoesNotPassTheWallClock) {
  partition(today + 10'000h, true);
  EXPECT_EQ(stream_time(partitions, today).time, today);
}

TEST_F(StreamClock, AWallClockThatJumpsForwardChangesNothing) {
  partition(today, true);
  EXPECT_EQ(stream_time(partitions, today + 10'000h).time, today);
}

TEST_F(StreamClock, AWallClockThatJumpsBackHoldsItBackOnly) {
  partition(today, true);
  EXPECT_EQ(stream_time(partitions, today - 5h).time, today - 5h) << "a store ignores a time that goes back";
}

TEST_F(StreamClock, ALaggingPartitionHoldsItBack) {
  partition(today, true);
  Partition& lagging = partition(today - 240h, false);
  const StreamTime stream = stream_time(partitions, today);
  EXPECT_EQ(stream.time, today - 240h);
  EXPECT_EQ(stream.held_back, &lagging);
}

TEST_F(StreamClock, TheMostLaggingOneCounts) {
  partition(today - 2h, false);
  Partition& most = partition(today - 9h, false);
  partition(today - 5h, false);
  const StreamTime stream = stream_time(partitions, today);
  EXPECT_EQ(stream.time, today - 9h);
  EXPECT_EQ(stream.held_back, &most);
}

TEST_F(StreamClock, AnUnreadPartitionOfWhichNothingIsKnownStopsIt) {
  partition(today, true);
  Partition& unread = partition(std::nullopt, false);
  const StreamTime stream = stream_time(partitions, today);
  EXPECT_FALSE(stream.time);
  EXPECT_EQ(stream.held_back, &unread);
}

TEST_F(StreamClock, AnEmptyPartitionDoesNotHoldItBack) {
  partition(today, true);
  partition(std::nullopt, true);
  EXPECT_EQ(stream_time(partitions, today).time, today);
}

TEST_F(StreamClock, PartitionsOfOthersDoNotCount) {
  partition(today, true);
  partition(today - 240h, false).assigned = false;
  EXPECT_EQ(stream_time(partitions, today).time, today);
}

}  // namespace
}  // namespace idem::core
