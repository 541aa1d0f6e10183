// Sources without stable positions: "done" is said of each message, by the number of its delivery.
#include "core_fixture.h"

namespace idem::core {
namespace {

class AcksTest : public CoreTest {
 protected:
  AcksTest() {
    options.stable_positions = false;
    options.ordering = Ordering::unordered;
  }
};

using Offsets = std::vector<std::int64_t>;

TEST_F(AcksTest, a_message_is_finished_once_it_is_durable_and_not_before) {
  Partition& p = assign(0, 1);
  for (std::int64_t tag : {1, 2, 3}) receive(p, tag, "id" + std::to_string(tag));
  dispatch();
  EXPECT_TRUE(p.finished.empty());
  complete_offset(2);
  complete_offset(1, Completion::Kind::not_applied);
  complete_offset(3, Completion::Kind::retry);
  EXPECT_EQ(p.finished, (Offsets{2}));
}

TEST_F(AcksTest, what_an_ended_assignment_finishes_is_never_acknowledged) {
  Partition& p = assign(0, 1);
  receive(p, 1, "a");
  receive(p, 2, "b");
  dispatch();
  complete_offset(1);
  core().release(p.handle());
  Partition& again = assign(0, 1);  // tags start at 1 again, and name other messages
  ASSERT_EQ(&again, &p);
  EXPECT_TRUE(again.finished.empty()) << "finished before, not said before";
  complete_offset(2);
  EXPECT_TRUE(again.finished.empty()) << "finished after";
  EXPECT_EQ(core().counters().stale_completions, 1u);
}

TEST_F(AcksTest, a_copy_under_another_tag_waits_and_both_tags_are_acknowledged) {
  Partition& p = assign(0, 1);
  receive(p, 1, "same");
  dispatch();
  receive(p, 2, "same");
  EXPECT_TRUE(dispatched_offsets().empty()) << "the first may still fail";
  complete_offset(1);
  EXPECT_EQ(dispatched_offsets(), (Offsets{2}));
  complete(running.front(), Completion::Kind::durable, Verdict::duplicate);
  EXPECT_EQ(p.finished, (Offsets{1, 2}));
}

}  // namespace
}  // namespace idem::core
