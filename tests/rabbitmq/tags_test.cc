// What the broker is told of the deliveries of one channel.
#include "sources/rabbitmq/delivery_tags.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace idem::rabbit {
namespace {

using namespace std::chrono_literals;
using Ack = DeliveryTags::Ack;
using Acks = std::vector<Ack>;

struct Tags : testing::Test {
  void deliver(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(tags.delivered(++last, now));
  }
  Acks done(std::vector<std::int64_t> which) {
    tags.done(which);
    Acks acks;
    tags.take_acks(acks);
    return acks;
  }

  DeliveryTags tags;
  std::uint64_t last = 0;
  DeliveryTags::TimePoint now{};
};

TEST_F(Tags, the_finished_prefix_is_said_at_once_and_the_rest_singly) {
  deliver(6);
  EXPECT_EQ(done({2, 1, 5}), (Acks{{2, true}, {5, false}}));
  EXPECT_EQ(done({4, 3}), (Acks{{4, true}})) << "of what was said singly nothing is said again";
  EXPECT_EQ(done({6}), (Acks{{6, true}}));
  EXPECT_EQ(tags.outstanding(), 0u);
}

TEST_F(Tags, multiple_names_a_tag_that_the_broker_still_waits_for) {
  deliver(3);
  EXPECT_EQ(done({2, 3}), (Acks{{2, false}, {3, false}}));
  EXPECT_EQ(done({1}), (Acks{{1, true}})) << "tag 3 is the end of the prefix, but it is acknowledged already";
}

TEST_F(Tags, nothing_is_said_twice) {
  deliver(2);
  EXPECT_EQ(done({2, 2}), (Acks{{2, false}}));
  EXPECT_EQ(done({2}), (Acks{}));
  EXPECT_EQ(done({1}), (Acks{{1, true}}));
  EXPECT_EQ(done({1, 2}), (Acks{}));
  EXPECT_EQ(done({3, 0, -1, 1'000'000}), (Acks{})) << "never delivered";
}

TEST_F(Tags, a_small_acknowledgement_waits_while_others_may_join_it) {
  const DeliveryTags::Pace pace{.at_once = 3, .longest = 5ms};
  const auto due = [&](std::chrono::milliseconds after, bool idle, std::size_t window) {
    return tags.acks_due(pace, now + after, now, idle, window);
  };
  deliver(6);
  EXPECT_FALSE(due(1h, true, 6)) << "nothing is done";
  tags.done(std::vector<std::int64_t>{1, 2});
  EXPECT_FALSE(due(4ms, false, 6)) << "more is to be read";
  EXPECT_FALSE(due(4ms, true, 7)) << "the server may send more, and four are in work";
  EXPECT_TRUE(due(4ms, true, 6)) << "the server waits";
  EXPECT_TRUE(due(5ms, false, 7)) << "long enough";
  tags.done(std::vector<std::int64_t>{3});
  EXPECT_TRUE(due(0ms, false, 7)) << "enough of them";
  Acks acks;
  tags.take_acks(acks);
  tags.done(std::vector<std::int64_t>{4, 5, 6});
  tags.take_acks(acks);
  deliver(2);
  tags.done(std::vector<std::int64_t>{7, 8});
  EXPECT_FALSE(due(4ms, true, 7)) << "nothing is in work, and the server may send more";
  EXPECT_TRUE(due(5ms, true, 7));
}

TEST_F(Tags, what_was_handed_back_is_never_acknowledged) {
  deliver(1);
  now += 1s;
  deliver(2);
  EXPECT_EQ(tags.hand_back(now), 1u);
  EXPECT_EQ(tags.hand_back(now), std::nullopt) << "the others are young enough";
  EXPECT_EQ(done({1}), (Acks{}));
  EXPECT_EQ(done({3}), (Acks{{3, false}}));
  EXPECT_EQ(done({2}), (Acks{{2, true}})) << "not tag 1, and not tag 3";
  EXPECT_EQ(tags.outstanding(), 0u);
}

TEST_F(Tags, the_oldest_is_found_past_those_that_are_done) {
  deliver(1);
  now += 1s;
  deliver(1);
  now += 1s;
  deliver(1);
  tags.done(std::vector<std::int64_t>{1});
  EXPECT_EQ(*tags.oldest(), DeliveryTags::TimePoint{} + 1s);
  Acks acks;
  tags.take_acks(acks);
  EXPECT_EQ(*tags.oldest(), DeliveryTags::TimePoint{} + 1s);
  EXPECT_EQ(tags.hand_back(now + 1s), 2u);
  EXPECT_EQ(tags.hand_back(now + 1s), 3u);
  EXPECT_EQ(tags.oldest(), std::nullopt);
}

TEST_F(Tags, a_tag_out_of_turn_is_noticed) {
  deliver(2);
  EXPECT_FALSE(tags.delivered(2, now));
  EXPECT_FALSE(tags.delivered(4, now));
  tags.clear();
  EXPECT_TRUE(tags.delivered(1, now)) << "a new channel";
}

// A broker by the book: closes the channel for a tag it does not wait for, and forgets what it is told.
TEST_F(Tags, a_strict_broker_never_objects) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    tags.clear();
    last = 0;
    now = {};
    std::set<std::uint64_t> broker, unfinished, mine;
    for (int step = 0; step < 60; ++step) {
      now += 1s;
      if (random() % 3 != 0) {
        deliver(1);
        broker.insert(last);
        unfinished.insert(last);
        mine.insert(last);
      } else if (random() % 4 == 0) {
        if (auto tag = tags.hand_back(now - 20s)) {
          ASSERT_EQ(broker.erase(*tag), 1u);
          mine.erase(*tag);
        }
      } else if (!unfinished.empty()) {
        auto which = std::next(unfinished.begin(), static_cast<long>(random() % unfinished.size()));
        tags.done(std::vector<std::int64_t>{static_cast<std::int64_t>(*which)});
        mine.erase(*which);
        unfinished.erase(which);
      }
      if (random() % 2) continue;
      Acks acks;
      tags.take_acks(acks);
      for (const Ack& ack : acks) {
        ASSERT_TRUE(broker.contains(ack.tag)) << "the broker would close the channel";
        const auto first = ack.multiple ? broker.begin() : broker.find(ack.tag);
        const auto end = std::next(broker.find(ack.tag));
        for (auto it = first; it != end; ++it) ASSERT_FALSE(unfinished.contains(*it) && mine.contains(*it)) << "not done";
        broker.erase(first, end);
      }
      ASSERT_EQ(broker, mine);
      ASSERT_EQ(tags.outstanding(), broker.size());
    }
  }
}

}  // namespace
}  // namespace idem::rabbit
