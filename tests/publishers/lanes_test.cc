// Which messages have an order among each other, and what stops with which.
#include "publishers/kafka/lanes.h"

#include <gtest/gtest.h>

#include <librdkafka/rdkafka.h>

#include "publishers/kafka/verdict.h"

namespace idem::kafka {
namespace {

using Tickets = std::vector<publish::Ticket>;

TEST(Lanes, what_makes_one) {
  EXPECT_FALSE(lane_of({.topic = "t"})) << "no order was asked for";
  EXPECT_EQ(lane_of({.topic = "t", .key = "k"}), lane_of({.topic = "t", .key = "k", .payload = "other"}));
  EXPECT_NE(lane_of({.topic = "t", .key = "k"}), lane_of({.topic = "t", .key = "l"}));
  EXPECT_NE(lane_of({.topic = "t", .key = "k"}), lane_of({.topic = "u", .key = "k"}));
  EXPECT_TRUE(lane_of({.topic = "t", .key = ""})) << "an empty key is one";
  EXPECT_EQ(lane_of({.topic = "t", .key = "k", .partition = 1}), lane_of({.topic = "t", .key = "l", .partition = 1}));
  EXPECT_NE(lane_of({.topic = "t", .partition = 1}), lane_of({.topic = "t", .partition = 2}));
}

TEST(Lanes, a_stop_names_what_is_behind_and_nothing_else) {
  Lanes lanes;
  const Lane a = make_lane("t", "a", {}), b = make_lane("t", "b", {});
  lanes.add(1, a);
  lanes.add(2, b);
  lanes.add(5, a);
  lanes.add(3, a);
  lanes.ended(1, a);
  lanes.stop(a, "because");
  EXPECT_EQ(lanes.held(a), (Tickets{3, 5}));
  ASSERT_NE(lanes.stopped(a), nullptr);
  EXPECT_EQ(*lanes.stopped(a), "because");
  EXPECT_EQ(lanes.stopped(b), nullptr);
}

TEST(Lanes, it_stays_stopped_until_it_is_resumed) {
  Lanes lanes;
  const Lane a = make_lane("t", "a", {});
  EXPECT_FALSE(lanes.resume(a));
  lanes.add(1, a);
  lanes.stop(a, "first");
  lanes.stop(a, "second");
  lanes.ended(1, a);
  ASSERT_EQ(lanes.all_stopped().size(), 1u);
  EXPECT_EQ(lanes.all_stopped()[0].topic, "t");
  EXPECT_EQ(lanes.all_stopped()[0].key, "a");
  EXPECT_EQ(lanes.all_stopped()[0].why, "first");
  EXPECT_TRUE(lanes.resume(a));
  EXPECT_FALSE(lanes.resume(a));
  EXPECT_EQ(lanes.stopped(a), nullptr);
  EXPECT_TRUE(lanes.all_stopped().empty());
}

TEST(Lanes, resuming_leaves_what_is_held) {
  Lanes lanes;
  const Lane a = make_lane("t", "a", {});
  lanes.add(1, a);
  lanes.stop(a, "why");
  EXPECT_TRUE(lanes.resume(a));
  EXPECT_EQ(lanes.held(a), (Tickets{1}));
}

TEST(Verdict, what_an_answer_means) {
  EXPECT_EQ(verdict_of(RD_KAFKA_RESP_ERR_NO_ERROR, true), Verdict::stored);
  EXPECT_EQ(verdict_of(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, true), Verdict::stored);
  EXPECT_EQ(verdict_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false), Verdict::bad_message);
  EXPECT_EQ(verdict_of(RD_KAFKA_RESP_ERR_INVALID_RECORD, false), Verdict::bad_message);
  EXPECT_EQ(verdict_of(-138, false), Verdict::bad_message);
  EXPECT_EQ(verdict_of(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false), Verdict::bad_topic);
  EXPECT_EQ(verdict_of(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, false), Verdict::bad_topic);
  for (auto error : {RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__FATAL,
                     RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                     RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND})
    EXPECT_EQ(verdict_of(error, false), Verdict::lost) << rd_kafka_err2name(error);
}

}  // namespace
}  // namespace idem::kafka
