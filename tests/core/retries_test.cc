#include "core_fixture.h"

namespace idem::core {
namespace {

using Retries = CoreTest;
using Kind = Completion::Kind;
using namespace std::chrono_literals;

TEST_F(Retries, TheLaneWaitsAndOthersGoOn) {
  options.ordering = Ordering::by_key;
  Partition& p = assign(0);
  receive(p, 0, "", "a");
  receive(p, 1, "", "b");
  dispatch();
  complete_offset(0, Kind::retry);
  complete_offset(1);
  receive(p, 2, "", "a");
  receive(p, 3, "", "b");
  return_batches();
  EXPECT_EQ(dispatched_offsets(), (Offsets{3}));
  wait(99ms);
  EXPECT_EQ(dispatched_offsets(), (Offsets{}));
  wait(1ms);
  EXPECT_EQ(dispatched_offsets().front(), 0);
}

TEST_F(Retries, TheBackoffDoublesUpToItsLimit) {
  Partition& p = assign(0);
  receive(p, 0);
  for (auto expected : {100ms, 200ms, 400ms, 800ms, 1'000ms, 1'000ms}) {
    dispatch();
    return_batches();
    complete_offset(0, Kind::retry);
    ASSERT_TRUE(core().next_due());
    EXPECT_EQ(*core().next_due() - now, expected);
    wait(expected);
  }
}

TEST_F(Retries, TheJitterShortensByItsShareAtMost) {
  options.retry.jitter = 0.5;
  Partition& p = assign(0);
  receive(p, 0);
  bool varied = false;
  for (int i = 0; i < 50; ++i) {
    dispatch();
    return_batches();
    running.front()->attempts = 0;
    complete_offset(0, Kind::retry);
    const auto delay = *core().next_due() - now;
    EXPECT_GE(delay, 50ms);
    EXPECT_LE(delay, 100ms);
    varied |= delay != 100ms;
    wait(100ms);
  }
  EXPECT_TRUE(varied);
}

TEST_F(Retries, AHandlersOwnDelayCounts) {
  Partition& p = assign(0);
  Delivery* d = receive(p, 0);
  dispatch();
  d->delay = 7s;
  complete_offset(0, Kind::retry);
  EXPECT_EQ(*core().next_due() - now, 7s);
  wait(7s);
  dispatch();
  complete_offset(0, Kind::retry);
  EXPECT_EQ(*core().next_due() - now, 200ms) << "only once";
}

TEST_F(Retries, AttemptsAreCounted) {
  Partition& p = assign(0);
  Delivery* d = receive(p, 0);
  EXPECT_EQ(d->message.attempt, 1);
  dispatch();
  complete_offset(0, Kind::retry);
  EXPECT_EQ(d->attempts, 1);
  EXPECT_EQ(d->message.attempt, 2);
  EXPECT_EQ(core().counters().retries, 1u);
}

TEST_F(Retries, ABusyStoreIsNobodysFault) {
  Partition& p = assign(0);
  Delivery* d = receive(p, 0);
  dispatch();
  complete_offset(0, Kind::store_busy);
  EXPECT_EQ(d->attempts, 0);
  EXPECT_EQ(*core().next_due() - now, 500ms);
  EXPECT_EQ(core().counters().retries, 0u);
}

TEST_F(Retries, WaitingOnesCountAgainstTheBudget) {
  options.budget.messages = 1;
  Partition& p = assign(0);
  receive(p, 0);
  dispatch();
  complete_offset(0, Kind::retry);
  EXPECT_EQ(core().room(), 0u);
  EXPECT_EQ(core().counters().in_flight, 1u);
  expect_balanced_books();
}

TEST_F(Retries, SeveralBecomeDueInTheirOrder) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  for (int offset = 0; offset < 3; ++offset) receive(p, offset);
  dispatch();
  running[0]->delay = 300ms;
  running[1]->delay = 100ms;
  running[2]->delay = 200ms;
  for (int offset = 0; offset < 3; ++offset) complete_offset(offset, Kind::retry);
  return_batches();
  for (std::int64_t due : {1, 2, 0}) {
    wait(100ms);
    EXPECT_EQ(dispatched_offsets(), (Offsets{due}));
    return_batches();
  }
  EXPECT_FALSE(core().next_due());
}

TEST_F(Retries, OnesOfAReleasedPartitionAreGone) {
  Partition& p = assign(0);
  Partition& other = assign(1);
  receive(p, 0);
  receive(other, 0);
  dispatch();
  Delivery* of_other = running[0]->handle == other.handle() ? running[0] : running[1];
  complete(running[0], Kind::retry);
  complete(running[0], Kind::retry);
  core().release(p.handle());
  ASSERT_TRUE(core().next_due());
  return_batches();
  wait(100ms);
  dispatch();
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(running.front(), of_other);
  expect_balanced_books();
}

}  // namespace
}  // namespace idem::core
