// How many messages a worker takes at a time.
#include "core_fixture.h"

namespace idem::core {
namespace {

using Batches = CoreTest;
using namespace std::chrono_literals;

TEST_F(Batches, RunsStartShortAndDoubleWhileTheyAreQuick) {
  options.workers = 1;
  Partition& p = assign(0);
  for (int offset = 0; offset < 100; ++offset) receive(p, offset);
  for (std::size_t expected : {1, 2, 4, 8, 16}) {
    const auto batches = dispatch();
    ASSERT_EQ(batches.size(), 1u);
    EXPECT_EQ(batches[0].size(), expected);
    complete_all();
  }
}

TEST_F(Batches, ASlowHandlerGetsShortRuns) {
  options.workers = 1;
  options.run_target = 5ms;
  Partition& p = assign(0);
  for (int offset = 0; offset < 100; ++offset) receive(p, offset);
  for (int i = 0; i < 4; ++i) {
    dispatch();
    complete_all();
  }
  EXPECT_EQ(dispatch()[0].size(), 16u);
  const auto sixteen = batches.front()->items.size();
  while (!running.empty()) complete(running.front());
  return_batches(sixteen * 2ms);  // 2 ms a message
  EXPECT_EQ(dispatch()[0].size(), 2u) << "what fits into the target";
}

TEST_F(Batches, EveryWorkerGetsAShare) {
  options.workers = 4;
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  std::int64_t offset = 0;
  for (int i = 0; i < 6; ++i) {  // long runs have been earned
    for (int k = 0; k < 64; ++k) receive(p, offset++);
    dispatch();
    complete_all();
    while (!dispatch().empty()) complete_all();
  }
  for (int k = 0; k < 8; ++k) receive(p, offset++);
  const auto batches = dispatch();
  ASSERT_GE(batches.size(), 4u);
  EXPECT_EQ(batches[0].size(), 2u);
}

TEST_F(Batches, NoMoreThanTwoPerWorkerAreOut) {
  options.workers = 2;
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  for (int offset = 0; offset < 20; ++offset) receive(p, offset);
  EXPECT_EQ(dispatch().size(), 4u);
}

TEST_F(Batches, ALaneIsInOneBatchInItsOrder) {
  options.workers = 1;
  options.ordering = Ordering::by_key;
  Partition& p = assign(0);
  std::int64_t offset = 0;
  for (int i = 0; i < 5; ++i) {
    receive(p, offset++, "", "warm up");
    dispatch();
    complete_all();
  }
  for (int i = 0; i < 4; ++i) {
    receive(p, offset++, "", "a");
    receive(p, offset++, "", "b");
  }
  EXPECT_EQ(dispatch()[0], (Offsets{5, 7, 9, 11, 6, 8, 10, 12}));
}

TEST_F(Batches, AMessageWhoseGroupFailedHasABatchOfItsOwn) {
  options.workers = 1;
  options.ordering = Ordering::unordered;
  Partition& p = assign(0);
  std::int64_t offset = 0;
  for (int i = 0; i < 5; ++i) {
    receive(p, offset++);
    dispatch();
    complete_all();
  }
  for (int i = 0; i < 3; ++i) receive(p, offset++);
  EXPECT_EQ(dispatch()[0], (Offsets{5, 6, 7}));
  complete_offset(5, Completion::Kind::not_applied);
  complete_offset(6, Completion::Kind::not_applied);
  complete_offset(7, Completion::Kind::returned);
  return_batches();
  EXPECT_EQ(dispatch(), (std::vector<Offsets>{{5}, {6}}));
  return_batches();
  EXPECT_EQ(dispatch(), (std::vector<Offsets>{{7}}));
}

TEST_F(Batches, NothingToDoIsNoBatch) {
  assign(0);
  EXPECT_EQ(core().next_batch(), nullptr);
}

TEST_F(Batches, DispatchedOnesAreKnownByPartition) {
  Partition& a = assign(0);
  Partition& b = assign(1);
  receive(a, 0);
  receive(b, 0);
  dispatch();
  EXPECT_EQ(core().dispatched(), 2u);
  EXPECT_EQ(core().dispatched(a.handle()), 1u);
  complete_all();
  EXPECT_EQ(core().dispatched(a.handle()), 0u);
  EXPECT_TRUE(core().idle());
}

}  // namespace
}  // namespace idem::core
