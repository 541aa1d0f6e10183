#include <gtest/gtest.h>

#include <vector>

#include "outbox/in_flight.h"

namespace idem::outbox {
namespace {

OutboxTable::Row row(std::int64_t number) { return {number, {.payload = "payload", .id = std::to_string(number)}}; }

std::vector<std::int64_t> all_next(InFlight& rows) {
  std::vector<std::int64_t> numbers;
  while (const auto* next = rows.next()) numbers.push_back(next->number);
  return numbers;
}
using Numbers = std::vector<std::int64_t>;

struct InFlightTest : testing::Test {
  InFlight rows;
  void SetUp() override {
    for (const std::int64_t number : {3, 4, 7, 9}) rows.add(row(number));
  }
};

TEST_F(InFlightTest, rows_go_out_once_and_in_order) {
  EXPECT_EQ(all_next(rows), (Numbers{3, 4, 7, 9}));
  EXPECT_EQ(rows.next(), nullptr);
  rows.add(row(12));
  EXPECT_EQ(all_next(rows), (Numbers{12}));
}

TEST_F(InFlightTest, after_a_failure_nothing_goes_out_until_all_have_answered) {
  EXPECT_EQ(rows.next()->number, 3);
  EXPECT_EQ(rows.next()->number, 4);
  rows.failed(3);
  EXPECT_TRUE(rows.has_failed());
  EXPECT_EQ(rows.next(), nullptr);
  EXPECT_FALSE(rows.quiet()) << "4 has no answer";
  EXPECT_TRUE(rows.ended(4));
  EXPECT_TRUE(rows.quiet());
  EXPECT_EQ(rows.again(), 1u);
  EXPECT_EQ(all_next(rows), (Numbers{3, 7, 9})) << "the failed one before those that had not gone out";
}

TEST_F(InFlightTest, several_failures_go_out_again_in_their_order) {
  all_next(rows);
  for (const std::int64_t number : {9, 3, 7}) rows.failed(number);
  rows.ended(4);
  EXPECT_EQ(rows.again(), 3u);
  EXPECT_FALSE(rows.has_failed());
  EXPECT_EQ(all_next(rows), (Numbers{3, 7, 9}));
}

TEST_F(InFlightTest, a_failed_row_may_be_parked) {
  all_next(rows);
  rows.failed(4);
  EXPECT_TRUE(rows.ended(4));
  EXPECT_FALSE(rows.has_failed());
  EXPECT_FALSE(rows.ended(4)) << "once";
}

TEST_F(InFlightTest, sizes_come_back_to_nothing) {
  EXPECT_GT(rows.bytes(), 4 * 7u);
  all_next(rows);
  for (const std::int64_t number : {4, 3, 9, 7}) rows.ended(number);
  EXPECT_EQ(rows.bytes(), 0u);
  EXPECT_EQ(rows.size(), 0u);
  EXPECT_TRUE(rows.quiet());
}

TEST_F(InFlightTest, answers_about_strangers_change_nothing) {
  rows.failed(5);
  EXPECT_FALSE(rows.has_failed());
  rows.failed(3);
  EXPECT_FALSE(rows.has_failed()) << "it has not gone out";
  EXPECT_FALSE(rows.ended(5));
}

}  // namespace
}  // namespace idem::outbox
