// Each verdict of check_calls on an injected flaw, and that the record of calls says what was written.
#include "kills/calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "support/scratch.h"

namespace idem::kills {
namespace {

// a: answered at once. b: its answer was lost, and the process was killed at the second call. c: refused once.
struct Calls : testing::Test {
  std::vector<Call> calls = {
      {1, 1, 1, false, "key-a", {"a", 0, 0, "k", 10}, Call::End::effect},
      {1, 2, 1, false, "key-b", {"b", 0, 1, "k", 20}, Call::End::effect, false},
      {1, 3, 1, false, "key-c", {"c", 1, 0, "m", 30}, Call::End::refused},
      {1, 4, 2, true, "key-b", {"b", 0, 1, "k", 20}, Call::End::known},
      {2, 1, 1, true, "key-b", {"b", 0, 1, "k", 20}, Call::End::known},
      {2, 2, 1, true, "key-c", {"c", 1, 0, "m", 30}, Call::End::effect},
  };
  // The same messages for the checker of all that is there.
  std::vector<Sent> sent = {{"a", 0, 0, 10}, {"b", 0, 1, 20}, {"c", 1, 0, 30}};
  Evidence evidence = {.remembered = std::set<std::string>{"a", "b", "c"}, .committed = {{0, 2}, {1, 1}}};

  CallVerdict verdict() const { return check_calls(calls); }
  Verdict at_end() { return look(Moment::at_end); }
  Verdict after_kill() { return look(Moment::after_kill); }

 private:
  Verdict look(Moment moment) {
    evidence.effects = effects_of(calls);
    return check(sent, evidence, moment, true);
  }
};

TEST_F(Calls, NothingIsFoundInCleanOnes) {
  EXPECT_TRUE(verdict().verdict.clean());
  EXPECT_EQ(verdict().repeats, 3u);
  EXPECT_EQ(verdict().unanswered, 1u);
  EXPECT_TRUE(at_end().clean());
}

TEST_F(Calls, ALostMessage) {
  calls.erase(calls.begin());
  EXPECT_EQ(at_end().of(Flaw::lost), 1u);
}

TEST_F(Calls, AMessageWhoseCallsHadNoEffect) {
  calls.pop_back();
  EXPECT_EQ(at_end().of(Flaw::lost), 1u);
}

TEST_F(Calls, ADoubledEffect) {
  calls[4].end = Call::End::effect;
  EXPECT_EQ(at_end().of(Flaw::doubled), 1u);
}

TEST_F(Calls, AnUnflaggedRepeatInOneProcess) {
  calls[3].maybe_executed = false;
  EXPECT_EQ(verdict().verdict.of(Flaw::unflagged), 1u);
}

TEST_F(Calls, AnUnflaggedRepeatAfterAKill) {
  calls[4].maybe_executed = false;
  EXPECT_EQ(verdict().verdict.of(Flaw::unflagged), 1u);
}

TEST_F(Calls, AnUnflaggedRepeatOfACallThatWasRefused) {
  calls[5].maybe_executed = false;
  EXPECT_EQ(verdict().verdict.of(Flaw::unflagged), 1u);
}

TEST_F(Calls, AFirstCallThatArrivesLateIsStillTheFirst) {
  std::rotate(calls.begin() + 2, calls.begin() + 3, calls.end());
  ASSERT_EQ(calls.back().number, 3);
  EXPECT_TRUE(verdict().verdict.clean());
}

TEST_F(Calls, AChangedKey) {
  calls[4].key = "key-d";
  EXPECT_EQ(verdict().verdict.of(Flaw::key_changed), 1u);
  EXPECT_EQ(verdict().verdict.of(Flaw::unflagged), 0u);
}

TEST_F(Calls, AKeyOfTwoMessages) {
  calls[0].key = "key-b";
  EXPECT_GE(verdict().verdict.of(Flaw::key_changed), 1u);
}

TEST_F(Calls, AnEffectMayComeBeforeItsRecordIfItWasClaimed) {
  evidence.remembered->erase("c");
  EXPECT_EQ(after_kill().of(Flaw::effect_without_record), 1u);
  evidence.claimed = {"c"};
  EXPECT_TRUE(after_kill().clean());
}

TEST_F(Calls, AClaimThatIsLeftWhenAllIsDone) {
  evidence.claimed = {"c"};
  EXPECT_TRUE(after_kill().clean());
  EXPECT_EQ(at_end().of(Flaw::claim_left), 1u);
}

TEST_F(Calls, AreReadAsTheyWereWritten) {
  const idem::test::Scratch scratch("calls");
  std::ofstream file(scratch / "record");
  for (const Call& call : calls) file << call << '\n';
  file << "3 1 1 tor";  // the service is writing
  file.close();
  const auto read = calls_in(scratch / "record");
  ASSERT_EQ(read.size(), calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    std::ostringstream there, here;
    there << read[i];
    here << calls[i];
    EXPECT_EQ(there.str(), here.str());
    EXPECT_EQ(read[i].of.amount, calls[i].of.amount);
    EXPECT_EQ(read[i].end, calls[i].end);
  }
  std::ofstream(scratch / "record") << "nonsense\n";
  EXPECT_THROW(calls_in(scratch / "record"), std::runtime_error);
}

}  // namespace
}  // namespace idem::kills
