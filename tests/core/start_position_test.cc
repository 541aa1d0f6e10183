// The table of starts: the broker's committed offset held against what the store remembers, a test for each
// row.
#include <gtest/gtest.h>

#include "core/start_position.h"

namespace idem::core {
namespace {

using Action = StartDecision::Action;

class Start : public ::testing::Test {
 protected:
  Start() {
    assigned.partition = {"payments", 3};
    assigned.log_begin = 0;
    assigned.log_end = 100;
    assigned.initial = 0;
    assigned.origin = "cluster=c topic=t";
  }

  void committed_by_us(std::int64_t next) {
    assigned.committed = next;
    assigned.metadata = commit_metadata("mine");
  }
  void committed_by_another_store(std::int64_t next) {
    assigned.committed = next;
    assigned.metadata = commit_metadata("other");
  }
  void committed_without_metadata(std::int64_t next) {
    assigned.committed = next;
    assigned.metadata = "";
  }
  void remember(std::int64_t watermark) {
    remembered = Progress(0);
    remembered.finish(0, watermark - 1, print);
    origin = assigned.origin;
  }

  StartDecision decide() { return decide_start(assigned, remembered, origin, "mine", accept); }

  /// Goes on where the store is; the remembered record is read once more.
  void expect_to_go_on_at(std::int64_t watermark, const StartDecision& d) {
    EXPECT_EQ(d.action, Action::read);
    EXPECT_EQ(d.progress.watermark(), watermark);
    EXPECT_EQ(d.start, watermark - 1) << "the remembered record is read again, to be compared";
    ASSERT_TRUE(d.check);
    EXPECT_EQ(d.check->last, watermark - 1);
    EXPECT_EQ(d.check->print, print);
  }
  void expect_to_begin_at(std::int64_t offset, const StartDecision& d) {
    EXPECT_EQ(d.action, Action::read);
    EXPECT_EQ(d.start, offset);
    EXPECT_EQ(d.progress, Progress(offset));
    EXPECT_FALSE(d.check);
    EXPECT_TRUE(d.changed) << "the store must know before anything is read";
  }
  void expect_refused(const StartDecision& d, Action action, std::string_view way_out) {
    EXPECT_EQ(d.action, action);
    EXPECT_NE(d.why.find(way_out), std::string::npos) << d.why;
    EXPECT_NE(d.why.find("payments[3]"), std::string::npos) << d.why;
  }

  static constexpr std::uint64_t print = 4711;
  AssignedPartition assigned;
  Progress remembered;
  std::string origin;
  Accept accept;
};

TEST_F(Start, FirstStart) {
  const StartDecision d = decide();
  expect_to_begin_at(0, d);
  EXPECT_EQ(d.why, "");
}

TEST_F(Start, FirstStartWhereTheUserAskedForTheLatest) {
  assigned.initial = 100;
  expect_to_begin_at(100, decide());
}

TEST_F(Start, FirstStartOfALogWhoseBeginningIsGone) {
  assigned.log_begin = assigned.initial = 40;
  expect_to_begin_at(40, decide());
}

TEST_F(Start, ARawConsumerIsReplaced) {
  committed_without_metadata(30);
  expect_to_begin_at(30, decide());
}

TEST_F(Start, ARawConsumersForeignMetadataIsNotOurs) {
  assigned.committed = 30;
  assigned.metadata = std::string("junk\0more", 9);
  expect_to_begin_at(30, decide());
}

TEST_F(Start, NormalRestart) {
  committed_by_us(50);
  remember(50);
  const StartDecision d = decide();
  expect_to_go_on_at(50, d);
  EXPECT_FALSE(d.changed);
  EXPECT_EQ(d.why, "");
}

TEST_F(Start, DurableButTheBrokerWasNotYetTold) {
  committed_by_us(42);
  remember(50);
  const StartDecision d = decide();
  expect_to_go_on_at(50, d);
  EXPECT_EQ(d.why, "");
}

TEST_F(Start, NothingCommittedYetButTheStoreHasProgress) {
  remember(50);
  expect_to_go_on_at(50, decide());
}

TEST_F(Start, FinishedOffsetsAboveTheWatermarkAreKept) {
  committed_by_us(50);
  remember(50);
  remembered.finish(55, 55, 1);
  EXPECT_TRUE(decide().progress.contains(55));
}

TEST_F(Start, ARestoredStoreWinsOverTheBroker) {
  committed_by_us(80);
  remember(50);
  const StartDecision d = decide();
  expect_to_go_on_at(50, d);
  EXPECT_NE(d.why.find("restored"), std::string::npos) << "it must be said";
}

TEST_F(Start, ASecondReplicaIsRefused) {
  committed_by_another_store(50);
  expect_refused(decide(), Action::refuse, "accept.other_store");
  remember(50);
  expect_refused(decide(), Action::refuse, "accept.other_store");
}

TEST_F(Start, AMovedServiceAdoptsWhenAsked) {
  committed_by_another_store(50);
  accept.other_store = true;
  expect_to_begin_at(50, decide());
  remember(60);
  expect_to_begin_at(60, decide());
}

TEST_F(Start, AMissingFileIsRefused) {
  committed_by_us(50);
  expect_refused(decide(), Action::refuse, "accept.empty_store");
}

TEST_F(Start, AMissingFileIsAcceptedWhenAsked) {
  committed_by_us(50);
  accept.empty_store = true;
  expect_to_begin_at(50, decide());
}

TEST_F(Start, ANewFileInPlaceOfALostOneIsRefusedAndAcceptedWhenAsked) {
  committed_by_another_store(50);  // the new file has another id
  expect_refused(decide(), Action::refuse, "accept.empty_store");
  accept.empty_store = true;
  expect_to_begin_at(50, decide());
}

TEST_F(Start, AnEmptyStoreMayNotAdoptWhatItsOwnProgressContradicts) {
  committed_by_another_store(50);
  remember(10);
  accept.empty_store = true;
  expect_refused(decide(), Action::refuse, "accept.other_store");
}

TEST_F(Start, AnOperatorsResetForwardIsHonouredAndCounted) {
  committed_without_metadata(80);
  remember(50);
  const StartDecision d = decide();
  expect_to_begin_at(80, d);
  EXPECT_NE(d.why.find("30 offsets"), std::string::npos) << d.why;
}

TEST_F(Start, AnOperatorsResetBackIsHonouredAndExplained) {
  committed_without_metadata(20);
  remember(50);
  const StartDecision d = decide();
  expect_to_begin_at(20, d);
  EXPECT_NE(d.why.find("skipped as duplicates"), std::string::npos) << d.why;
}

TEST_F(Start, AResetToTheWatermarkIsNothingSpecial) {
  committed_without_metadata(50);
  remember(50);
  expect_to_go_on_at(50, decide());
}

TEST_F(Start, AWatermarkBeyondTheLogEndStopsThePartition) {
  committed_by_us(150);
  remember(150);
  expect_refused(decide(), Action::stop_partition, "accept.recreated_topic");
  accept.recreated_topic = true;
  expect_to_begin_at(0, decide());
}

TEST_F(Start, AnotherTopicIncarnationStopsThePartition) {
  committed_by_us(50);
  remember(50);
  origin = "cluster=c topic=older";
  expect_refused(decide(), Action::stop_partition, "accept.recreated_topic");
  accept.recreated_topic = true;
  expect_to_begin_at(0, decide());
}

TEST_F(Start, AnotherClusterStopsThePartition) {
  remember(50);
  origin = "cluster=elsewhere topic=t";
  expect_refused(decide(), Action::stop_partition, "accept.recreated_topic");
}

TEST_F(Start, AnotherLogContradictsNothingIfNothingWasRead) {
  remember(0);
  origin = "cluster=c topic=older";
  expect_to_begin_at(0, decide());
  committed_by_us(0);
  expect_to_begin_at(0, decide());
  committed_by_another_store(5);
  expect_refused(decide(), Action::refuse, "accept.other_store");
}

TEST_F(Start, ARecreatedTopicIsNoticedBeforeAnothersMetadata) {
  committed_by_another_store(150);
  remember(150);
  expect_refused(decide(), Action::stop_partition, "accept.recreated_topic");
}

TEST_F(Start, AnOriginThatIsNotKnownDisagreesWithNothing) {
  committed_by_us(50);
  remember(50);
  origin = "";
  StartDecision d = decide();
  expect_to_go_on_at(50, d);
  EXPECT_TRUE(d.changed) << "now it is known, and remembered";
  origin = "cluster=c topic=t";
  assigned.origin = "cluster=c";  // an older client library cannot tell the topic's id
  d = decide();
  expect_to_go_on_at(50, d);
}

TEST_F(Start, ARecordThatTheBrokersRetentionDeletedIsNotReadAgain) {
  committed_by_us(50);
  remember(50);
  assigned.log_begin = 50;
  const StartDecision d = decide();
  EXPECT_EQ(d.start, 50);
  EXPECT_FALSE(d.check);
}

TEST_F(Start, WhatTheBrokersRetentionDeletedUnreadIsSkippedAndSaid) {
  committed_by_us(50);
  remember(50);
  assigned.log_begin = 70;
  const StartDecision d = decide();
  EXPECT_EQ(d.action, Action::read);
  EXPECT_EQ(d.start, 70);
  EXPECT_EQ(d.progress.watermark(), 70);
  EXPECT_TRUE(d.changed);
  EXPECT_NE(d.why.find("retention"), std::string::npos) << d.why;
}

TEST_F(Start, TheMetadataNamesTheStoreAndNothingElseDoes) {
  EXPECT_EQ(store_in_metadata(commit_metadata("abc")), "abc");
  EXPECT_EQ(store_in_metadata(commit_metadata("abc") + " seq=7"), "abc") << "room for later additions";
  for (std::string_view foreign : {"", "idem", "idem/2 store=x", "store=x", "consumer-1"})
    EXPECT_EQ(store_in_metadata(foreign), std::nullopt) << foreign;
}

}  // namespace
}  // namespace idem::core
