// Messages that come back from the store: they run like any other, and the broker hears nothing of them.
#include "core_fixture.h"

namespace idem::core {
namespace {

class ReturningTest : public CoreTest {
 protected:
  Delivery* receive_returning(Partition& partition, std::int64_t offset, std::int64_t number, const std::string& id,
                              std::optional<std::string_view> key = std::nullopt) {
    Message message;
    message.offset = offset;
    message.key = key;
    message.payload = "payload";
    Delivery* d = core().receive_returning(partition.handle(), message, number);
    d->record.id = IdKey{std::hash<std::string>{}(id), std::hash<std::string>{}(id + "'")};
    received = core().enqueue(d);
    return d;
  }
};

TEST_F(ReturningTest, a_delayed_message_is_finished_and_its_partition_asks_again_when_it_is_due) {
  Partition& p = assign(0);
  p.next_return.reset();
  Delivery* d = receive(p, 0, "late");
  dispatch();
  d->due = Timestamp(std::chrono::hours(2));
  complete(d, Completion::Kind::durable, Verdict::delayed);
  EXPECT_EQ(core().committable(p), 1);
  EXPECT_EQ(p.next_return, Timestamp(std::chrono::hours(2)));
  EXPECT_TRUE(core().idle()) << "its place in the budget is free";
  EXPECT_EQ(core().counters().delayed, 1u);
  Delivery* earlier = receive(p, 1, "earlier");
  dispatch();
  earlier->due = Timestamp(std::chrono::hours(1));
  complete(earlier, Completion::Kind::durable, Verdict::delayed);
  EXPECT_EQ(p.next_return, Timestamp(std::chrono::hours(1)));
  expect_balanced_books();
}

TEST_F(ReturningTest, a_delay_whose_group_was_lost_is_nothing) {
  Partition& p = assign(0);
  Delivery* d = receive(p, 0, "late");
  dispatch();
  complete(d, Completion::Kind::not_applied, Verdict::delayed);
  EXPECT_EQ(core().committable(p), 0);
  EXPECT_EQ(core().counters().delayed, 0u);
  EXPECT_EQ(dispatched_offsets(), (Offsets{0}));
}

TEST_F(ReturningTest, what_comes_back_lies_at_a_finished_position_and_runs) {
  Partition& p = assign(0, 10);
  receive_returning(p, 3, 1, "back");
  EXPECT_EQ(received, DeliveryCore::Received::queued);
  EXPECT_TRUE(core().has_returning(1));
  EXPECT_EQ(dispatched_offsets(), (Offsets{3}));
  complete_all();
  EXPECT_FALSE(core().has_returning(1));
  EXPECT_EQ(p.position, 10);
  EXPECT_EQ(core().committable(p), 10);
  EXPECT_EQ(core().counters().returned, 1u);
  EXPECT_EQ(core().counters().received, 0u);
  expect_balanced_books();
}

TEST_F(ReturningTest, a_queue_is_not_told_of_it_a_second_time) {
  options.stable_positions = false;
  Partition& p = assign(0, 1);
  receive_returning(p, 7, 1, "back");
  dispatch();
  complete_all();
  EXPECT_TRUE(p.finished.empty());
}

TEST_F(ReturningTest, it_enters_its_lane_behind_what_is_there_and_copies_wait_for_it) {
  options.ordering = Ordering::by_key;
  Partition& p = assign(0, 10);
  receive(p, 10, "first", "key");
  receive_returning(p, 3, 1, "back", "key");
  receive(p, 11, "back", "other key");
  EXPECT_EQ(dispatched_offsets(), (Offsets{10})) << "one lane; the copy waits";
  complete_all();
  EXPECT_EQ(dispatched_offsets(), (Offsets{3}));
  complete_all();
  EXPECT_EQ(dispatched_offsets(), (Offsets{11}));
}

TEST_F(ReturningTest, it_takes_its_place_in_the_budget_and_goes_with_its_assignment) {
  options.budget.messages = 2;
  Partition& p = assign(0, 10);
  receive_returning(p, 3, 1, "a");
  receive_returning(p, 4, 2, "b");
  EXPECT_EQ(core().room(), 0u);
  EXPECT_TRUE(core().wants_pause(p));
  EXPECT_EQ(p.returning, 2u);
  core().release(p.handle());
  EXPECT_FALSE(core().has_returning(1));
  EXPECT_EQ(p.returning, 0u);
  expect_balanced_books();
  Partition& again = assign(0, 10);
  EXPECT_EQ(again.next_return, Timestamp::min()) << "the store is asked anew";
}

TEST_F(ReturningTest, with_a_worker_it_stays_in_hand_over_the_end_of_its_assignment) {
  Partition& p = assign(0, 10);
  receive_returning(p, 3, 1, "a");
  dispatch();
  core().release(p.handle());
  assign(0, 10);
  EXPECT_TRUE(core().has_returning(1)) << "it must not run twice at once";
  complete_all();
  EXPECT_FALSE(core().has_returning(1));
  EXPECT_EQ(core().counters().stale_completions, 1u);
  expect_balanced_books();
}

TEST_F(ReturningTest, the_store_is_asked_again_when_what_an_ended_assignment_had_in_hand_is_through) {
  options.ordering = Ordering::unordered;
  Partition& p = assign(0, 10);
  receive_returning(p, 3, 1, "a");
  Delivery* late = receive(p, 10, "late");
  dispatch();
  core().release(p.handle());
  Partition& again = assign(0, 10);
  again.next_return.reset();  // it has been asked: one is in hand, the other is not there yet
  complete_offset(3, Completion::Kind::returned);
  EXPECT_EQ(again.next_return, Timestamp::min());
  again.next_return.reset();
  complete(late, Completion::Kind::durable, Verdict::delayed);
  EXPECT_EQ(again.next_return, Timestamp::min());
}

}  // namespace
}  // namespace idem::core
