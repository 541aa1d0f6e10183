// Where callers wait for room.
#include "publishers/intake.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace idem::publish {
namespace {

using namespace std::chrono_literals;

struct IntakeTest : testing::Test {
  Intake<int>::Requests requests(int count, std::size_t size = 10) {
    Intake<int>::Requests made(count);
    for (auto& request : made) request.size = size;
    return made;
  }
  std::optional<std::string> put(int count, bool at_once = true, std::size_t size = 10) {
    auto made = requests(count, size);
    return intake.put(made, at_once);
  }
  std::atomic<int> woken{0};
  Intake<int> intake{{.messages = 4, .bytes = 100, .patience = 60s}, [this] { ++woken; }};
};

TEST_F(IntakeTest, it_is_full_by_number_until_there_are_results) {
  EXPECT_FALSE(put(4));
  const auto why = put(1);
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("4 messages of 40 bytes"), std::string::npos) << *why;
  EXPECT_EQ(intake.take().size(), 4u);
  EXPECT_TRUE(put(1)) << "sent is not answered";
  intake.release(1, 10);
  EXPECT_FALSE(put(1));
}

TEST_F(IntakeTest, it_is_full_by_bytes_and_says_what_stands_in_the_way) {
  EXPECT_FALSE(put(1, true, 95));
  intake.set_obstacle("the server has blocked publishers");
  const auto why = put(1);
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("blocked publishers"), std::string::npos) << *why;
}

TEST_F(IntakeTest, what_is_larger_than_all_of_it_goes_alone) {
  EXPECT_FALSE(put(6, true, 1'000));
  EXPECT_TRUE(put(1));
}

TEST_F(IntakeTest, whoever_waits_goes_on_when_there_is_room) {
  EXPECT_FALSE(put(4));
  std::thread waiting([&] { EXPECT_FALSE(put(1, /*at_once=*/false)); });
  intake.release(4, 40);
  waiting.join();
}

TEST_F(IntakeTest, whoever_waits_is_told_of_the_end) {
  EXPECT_FALSE(put(4));
  std::thread waiting([&] { EXPECT_EQ(put(1, /*at_once=*/false), "the publisher is closed"); });
  intake.close();
  waiting.join();
  EXPECT_TRUE(put(1));
}

TEST_F(IntakeTest, only_a_sleeping_thread_is_woken) {
  EXPECT_FALSE(put(1));
  EXPECT_EQ(woken, 0);
  EXPECT_EQ(intake.take(/*will_sleep=*/true).size(), 1u) << "it must not sleep now";
  EXPECT_FALSE(put(1));
  EXPECT_EQ(woken, 0);
  intake.take();
  EXPECT_TRUE(intake.take(/*will_sleep=*/true).empty());
  EXPECT_FALSE(put(1));
  EXPECT_FALSE(put(1));
  EXPECT_EQ(woken, 1);
}

TEST_F(IntakeTest, empty_is_when_everything_has_its_result) {
  EXPECT_TRUE(intake.wait_until_empty(TimePoint::min()));
  EXPECT_FALSE(put(2));
  EXPECT_FALSE(intake.wait_until_empty(TimePoint::min()));
  intake.take();
  EXPECT_FALSE(intake.wait_until_empty(TimePoint::min()));
  intake.release(2, 20);
  EXPECT_TRUE(intake.wait_until_empty(TimePoint::min()));
}

}  // namespace
}  // namespace idem::publish
