#include <gtest/gtest.h>

#include <idem/progress.h>

#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>

namespace idem {
namespace {

TEST(Progress, IsNotStartedUntilAPositionIsKnown) {
  EXPECT_FALSE(Progress().started());
  EXPECT_TRUE(Progress(0).started());
  EXPECT_EQ(Progress(7).watermark(), 7);
}

TEST(Progress, TheWatermarkPassesOnlyWhatIsFinished) {
  Progress p(0);
  p.finish(1, 1, 0);
  p.finish(2, 2, 0);
  EXPECT_EQ(p.watermark(), 0) << "0 is not finished";
  p.finish(0, 0, 0);
  EXPECT_EQ(p.watermark(), 3);
  EXPECT_EQ(p.ranges().size(), 1u);
}

TEST(Progress, AMessageClosesTheGapBeforeIt) {
  Progress p(0);
  p.finish(0, 4, 0);  // the first message received after position 0 was at 4
  EXPECT_EQ(p.watermark(), 5);
  p.finish(9, 12, 0);
  EXPECT_EQ(p.watermark(), 5);
  p.finish(5, 8, 0);
  EXPECT_EQ(p.watermark(), 13);
}

TEST(Progress, ContainsWhatIsFinishedAndNothingElse) {
  Progress p(2);
  p.finish(4, 5, 0);
  for (std::int64_t offset : {0, 1, 4, 5}) EXPECT_TRUE(p.contains(offset)) << offset;
  for (std::int64_t offset : {2, 3, 6, 100}) EXPECT_FALSE(p.contains(offset)) << offset;
  EXPECT_FALSE(Progress().contains(0));
}

TEST(Progress, FinishingTwiceChangesNothing) {
  Progress p(0);
  p.finish(2, 3, 11);
  const Progress before = p;
  p.finish(2, 3, 11);
  EXPECT_EQ(p, before);
}

TEST(Progress, OverlappingRangesOfTwoAssignmentsMerge) {
  Progress p(0);
  p.finish(3, 5, 0);
  p.finish(4, 9, 0);  // received after another position
  p.finish(0, 3, 0);
  EXPECT_EQ(p.watermark(), 10);
  EXPECT_EQ(p.ranges().size(), 1u);
}

TEST(Progress, RemembersTheLastRealRecordBelowTheWatermark) {
  Progress p(0);
  EXPECT_FALSE(p.last_record());
  p.finish(0, 3, 77);
  p.skip(4, 8);
  ASSERT_TRUE(p.last_record());
  EXPECT_EQ(p.last_record()->last, 3);
  EXPECT_EQ(p.last_record()->print, 77u);
  EXPECT_EQ(p.watermark(), 8);
  p.finish(9, 9, 99);
  EXPECT_EQ(p.last_record()->print, 77u) << "not yet below the watermark";
  p.finish(8, 8, 88);
  EXPECT_EQ(p.last_record()->print, 99u);
}

TEST(Progress, SkippingNothingIsNothing) {
  Progress p(5);
  p.skip(5, 5);
  EXPECT_EQ(p, Progress(5));
}

TEST(Progress, ResetForgets) {
  Progress p(0);
  p.finish(0, 9, 1);
  p.reset(4);
  EXPECT_EQ(p, Progress(4));
  EXPECT_FALSE(p.last_record());
}

TEST(Progress, ComesBackFromItsEncoding) {
  Progress p(1'000'000'000'000);
  p.finish(1'000'000'000'005, 1'000'000'000'006, UINT64_MAX);
  p.finish(1'000'000'000'010, 1'000'000'000'010, 1);
  p.skip(1'000'000'000'020, 1'000'000'000'021);
  EXPECT_EQ(Progress::decode(p.encode()), p);
  EXPECT_EQ(Progress::decode(Progress().encode()), Progress());
  EXPECT_EQ(Progress::decode(Progress(0).encode()), Progress(0));
}

TEST(Progress, DamagedBytesAreNoticed) {
  Progress p(10);
  p.finish(20, 21, 5);
  const std::string good = p.encode();
  EXPECT_THROW(Progress::decode(""), std::runtime_error);
  std::string newer = good;
  newer.front() = 127;
  EXPECT_THROW(Progress::decode(newer), std::runtime_error) << "another version";
  EXPECT_THROW(Progress::decode(good + "x"), std::runtime_error) << "trailing bytes";
  for (std::size_t size = 1; size < good.size(); ++size)
    EXPECT_THROW(Progress::decode(good.substr(0, size)), std::runtime_error) << size;
}

// Against the plainest possible model: a set of offsets.
TEST(Progress, AgreesWithASetOfOffsets) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    Progress progress(0);
    std::set<std::int64_t> model;
    std::vector<std::int64_t> received;  // with gaps
    for (std::int64_t at = 0; received.size() < 20;)
      received.push_back(at += 1 + static_cast<int>(random() % 3));
    std::vector<std::size_t> order(received.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (std::size_t i : order) {
      const std::int64_t from = i == 0 ? 0 : received[i - 1] + 1;
      progress.finish(from, received[i], i + 1);
      for (std::int64_t o = from; o <= received[i]; ++o) model.insert(o);
      std::int64_t watermark = 0;
      while (model.contains(watermark)) ++watermark;
      ASSERT_EQ(progress.watermark(), watermark);
      for (std::int64_t o = 0; o < 70; ++o) ASSERT_EQ(progress.contains(o), model.contains(o)) << o;
    }
    ASSERT_EQ(progress.ranges().size(), 1u);
    ASSERT_EQ(Progress::decode(progress.encode()), progress);
  }
}

}  // namespace
}  // namespace idem
