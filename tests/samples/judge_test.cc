// The quick start's judge must see every way in which a consumer can be wrong: each is done to it once.
#include "judge.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "samples/ledger.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

class Judge : public testing::Test {
 protected:
  // Three messages, two payments; both booked as they should be.
  void SetUp() override {
    send("a 1 100\nb 2 250\na 1 100\n");
    execute(database,
            "CREATE TABLE booking (payment TEXT, account INTEGER, cents INTEGER);"
            "CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER);"
            "INSERT INTO booking VALUES ('a', 1, 100), ('b', 2, 250);"
            "INSERT INTO account VALUES (1, 100), (2, 250)");
  }

  void send(const std::string& lines) { std::ofstream(ledger) << lines; }
  quickstart::Verdict verdict() { return quickstart::judge(ledger, database); }

  Scratch scratch{"judge"};
  const std::filesystem::path ledger = scratch / "sent", database = scratch / "ledger.db";
};

TEST_F(Judge, CallsRightWhatIsRight) {
  const auto v = verdict();
  EXPECT_TRUE(v.clean());
  EXPECT_EQ(v.sent, 3u);
  EXPECT_EQ(v.distinct, 2u);
  EXPECT_EQ(v.effects, 2u);
  EXPECT_EQ(v.accounts, 2u);
}

TEST_F(Judge, SeesALostPayment) {
  execute(database, "DELETE FROM booking WHERE payment = 'b'");
  const auto v = verdict();
  EXPECT_FALSE(v.clean());
  EXPECT_EQ(v.lost, 1u);
  EXPECT_EQ(v.doubled, 0u);
  EXPECT_EQ(v.effects, 1u);
}

TEST_F(Judge, SeesADoubledPayment) {
  execute(database, "INSERT INTO booking VALUES ('b', 2, 250), ('b', 2, 250)");
  const auto v = verdict();
  EXPECT_FALSE(v.clean());
  EXPECT_EQ(v.lost, 0u);
  EXPECT_EQ(v.doubled, 2u);
  EXPECT_EQ(v.effects, 4u);
}

TEST_F(Judge, OneLostAndOneDoubledDoNotCancelOut) {
  execute(database, "UPDATE booking SET payment = 'a', account = 1, cents = 100");
  const auto v = verdict();
  EXPECT_EQ(v.effects, 2u);
  EXPECT_EQ(v.lost, 1u);
  EXPECT_EQ(v.doubled, 1u);
}

TEST_F(Judge, SeesWhatWasNeverSent) {
  execute(database, "INSERT INTO booking VALUES ('c', 1, 1), (NULL, 1, 1)");
  EXPECT_EQ(verdict().foreign, 2u);
}

TEST_F(Judge, SeesAnotherAmountUnderAKnownId) {
  execute(database, "UPDATE booking SET cents = 101 WHERE payment = 'a'");
  const auto v = verdict();
  EXPECT_EQ(v.foreign, 1u);
  EXPECT_EQ(v.lost, 1u);
}

TEST_F(Judge, SeesAWrongBalance) {
  execute(database, "UPDATE account SET cents = 101 WHERE id = 1");
  EXPECT_FALSE(verdict().clean());
  EXPECT_EQ(verdict().wrong_balances, 1u);
}

TEST_F(Judge, SeesAMissingAndAnInventedAccount) {
  execute(database, "UPDATE account SET id = 3 WHERE id = 2");
  EXPECT_EQ(verdict().wrong_balances, 2u);
}

TEST_F(Judge, DoesNotJudgeWhatItCannotRead) {
  EXPECT_THROW(quickstart::judge(scratch / "nothing", database), std::runtime_error);
  EXPECT_THROW(quickstart::judge(ledger, scratch / "nothing"), std::runtime_error);
  execute(database, "DROP TABLE booking");
  EXPECT_THROW(verdict(), std::runtime_error);
}

TEST_F(Judge, DoesNotJudgeByALedgerThatMakesNoSense) {
  send("a 1 100\nb two 250\n");
  EXPECT_THROW(verdict(), std::runtime_error);
  send("a 1 100\na 1 101\n");
  EXPECT_THROW(verdict(), std::runtime_error);
}

}  // namespace
}  // namespace idem::test
