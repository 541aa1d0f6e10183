// In which order messages go out, and how a broker's refusal finds its message.
#include "publishers/send_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace idem::publish {
namespace {

using Tickets = std::vector<Ticket>;

Tickets send_all(SendQueue& queue) {
  Tickets sent;
  while (const auto ticket = queue.next()) {
    queue.sent();
    sent.push_back(*ticket);
  }
  return sent;
}

TEST(SendQueue, first_in_first_out) {
  SendQueue queue;
  for (Ticket t : {1, 2, 3}) queue.add(t);
  EXPECT_EQ(send_all(queue), (Tickets{1, 2, 3}));
  EXPECT_EQ(queue.on_the_way(), 3u);
  queue.answered(2);
  EXPECT_EQ(queue.on_the_way(), 2u);
}

TEST(SendQueue, what_got_lost_goes_before_what_never_left) {
  SendQueue queue;
  for (Ticket t : {1, 2}) queue.add(t);
  send_all(queue);
  for (Ticket t : {3, 4}) queue.add(t);
  queue.back(Tickets{1, 2});
  EXPECT_EQ(queue.on_the_way(), 0u);
  EXPECT_EQ(send_all(queue), (Tickets{1, 2, 3, 4}));
}

TEST(SendQueue, suspects_go_one_at_a_time_and_nothing_beside_them) {
  SendQueue queue;
  for (Ticket t : {1, 2, 3}) queue.add(t);
  send_all(queue);
  queue.add(4);
  queue.answered(1);
  queue.back(Tickets{2, 3});
  queue.suspect(Tickets{2, 3});
  EXPECT_EQ(send_all(queue), (Tickets{2}));
  queue.answered(2);
  EXPECT_EQ(send_all(queue), (Tickets{3}));
  EXPECT_TRUE(queue.one_at_a_time());
  queue.answered(3);
  EXPECT_FALSE(queue.one_at_a_time());
  queue.add(5);
  EXPECT_EQ(send_all(queue), (Tickets{4, 5}));
}

TEST(SendQueue, a_suspect_that_is_dropped_holds_nobody_up) {
  SendQueue queue;
  for (Ticket t : {1, 2}) queue.add(t);
  send_all(queue);
  queue.back(Tickets{1, 2});
  queue.suspect(Tickets{1, 2});
  queue.drop(1);
  queue.drop(2);
  queue.add(3);
  queue.add(4);
  EXPECT_EQ(send_all(queue), (Tickets{3, 4}));
}

TEST(SendQueue, a_suspect_on_its_way_can_get_lost_again) {
  SendQueue queue;
  for (Ticket t : {1, 2}) queue.add(t);
  send_all(queue);
  queue.back(Tickets{1, 2});
  queue.suspect(Tickets{1, 2});
  send_all(queue);
  queue.back(Tickets{1});
  EXPECT_EQ(send_all(queue), (Tickets{1}));
  EXPECT_TRUE(queue.one_at_a_time());
}

}  // namespace
}  // namespace idem::publish
