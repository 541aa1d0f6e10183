// The checker sees each flaw: a clean history, into which one flaw at a time is injected.
#include "kills/checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace idem::kills {
namespace {

// Two partitions. a, b: effects, b sent twice; c: parked; d: two messages in conflict; one message without id.
struct History {
  std::vector<Sent> sent = {{"a", 0, 0, 10},
                            {"b", 0, 1, 20},
                            {"b", 1, 0, 20},
                            {"c", 1, 1, 30, Fate::parked},
                            {"d", 0, 2, 40, Fate::conflict},
                            {"d", 1, 2, 40, Fate::conflict},
                            {"", 0, 3, 50, Fate::parked}};
  Evidence evidence = {.effects = {{"a", 0, 0, "k", 10}, {"b", 0, 1, "k", 20}, {"d", 1, 2, "m", 40}},
                       .parked = {{"c", 1, 1}, {"d", 0, 2}, {"", 0, 3}},
                       .remembered = std::set<std::string>{"a", "b", "c", "d"},
                       .progress = {{0, Progress(4)}, {1, Progress(3)}},
                       .committed = {{0, 4}, {1, 3}}};

  Verdict at_end() const { return check(sent, evidence, Moment::at_end, true); }
  Verdict after_kill() const { return check(sent, evidence, Moment::after_kill, true); }

  void remove_effect(const std::string& id) {
    std::erase_if(evidence.effects, [&](const Effect& effect) { return effect.id == id; });
  }
};

// The flaw is found, and nothing else is blamed but what is listed beside it.
void expect_only(const Verdict& verdict, std::initializer_list<Flaw> flaws) {
  for (Flaw flaw : flaws) EXPECT_GT(verdict.of(flaw), 0u) << to_string(flaw) << " was not found";
  for (const auto& [flaw, count] : verdict.count)
    EXPECT_TRUE(std::find(flaws.begin(), flaws.end(), flaw) != flaws.end()) << "blamed: " << to_string(flaw);
}

TEST(Checker, FindsNothingInACleanHistory) {
  EXPECT_TRUE(History().at_end().clean());
  EXPECT_TRUE(History().after_kill().clean());
}

TEST(Checker, WorkThatIsLeftAfterAKillIsNoFlaw) {
  History h;
  h.remove_effect("a");
  h.evidence.remembered->erase("a");
  h.evidence.progress[0] = Progress(0);
  h.evidence.progress[0].finish(1, 1, 7);  // b, which came after it
  h.evidence.committed[0] = 0;
  EXPECT_TRUE(h.after_kill().clean());
  EXPECT_EQ(h.after_kill().unfinished, 1u);
}

TEST(Checker, ALostMessage) {
  History h;
  h.sent.push_back({"e", 1, 3, 5});
  expect_only(h.at_end(), {Flaw::lost, Flaw::wrong_amount, Flaw::not_caught_up});
}

TEST(Checker, ALostMessageThatTheStoreRemembers) {
  History h;
  h.remove_effect("a");
  expect_only(h.at_end(), {Flaw::lost, Flaw::wrong_amount, Flaw::record_without_effect, Flaw::committed_too_far,
                           Flaw::progress_too_far});
}

TEST(Checker, ALostMessageWithoutId) {
  History h;
  h.evidence.parked.pop_back();
  expect_only(h.at_end(), {Flaw::lost, Flaw::committed_too_far, Flaw::progress_too_far});
}

TEST(Checker, ALostHalfOfAConflict) {
  History h;
  std::erase_if(h.evidence.parked, [](const ParkedAt& parked) { return parked.id == "d"; });
  expect_only(h.at_end(), {Flaw::lost, Flaw::committed_too_far, Flaw::progress_too_far});
}

TEST(Checker, ADoubledEffect) {
  History h;
  h.evidence.effects.insert(h.evidence.effects.begin() + 2, {"b", 1, 0, "n", 20});  // through the other copy
  expect_only(h.at_end(), {Flaw::doubled, Flaw::wrong_amount});
  expect_only(h.after_kill(), {Flaw::doubled});
}

TEST(Checker, APhantomEffect) {
  History h;
  h.evidence.effects.push_back({"never sent", 1, 9, "z", 1});
  expect_only(h.at_end(), {Flaw::phantom});
}

TEST(Checker, AnEffectUnderTheNameOfAnother) {
  History h;
  h.remove_effect("b");
  h.evidence.effects.push_back({"b", 0, 0, "k2", 20});
  expect_only(h.after_kill(),
              {Flaw::phantom, Flaw::record_without_effect, Flaw::committed_too_far, Flaw::progress_too_far});
}

TEST(Checker, AParkedPhantom) {
  History h;
  h.evidence.parked.push_back({"never sent", 0, 9});
  expect_only(h.at_end(), {Flaw::phantom});
}

TEST(Checker, AWrongAmount) {
  History h;
  h.evidence.effects[0].amount += 1;
  expect_only(h.after_kill(), {Flaw::wrong_amount});
}

TEST(Checker, ARecordWithoutEffect) {
  History h;
  h.sent.push_back({"e", 1, 3, 5});
  h.evidence.remembered->insert("e");
  expect_only(h.after_kill(), {Flaw::record_without_effect});
}

TEST(Checker, AnEffectWithoutRecord) {
  History h;
  h.evidence.remembered->erase("a");
  expect_only(h.after_kill(), {Flaw::effect_without_record});
}

TEST(Checker, WhatIsOldMayBeForgotten) {
  History h;
  for (std::size_t i = 0; i < h.sent.size(); ++i) h.sent[i].time = static_cast<std::int64_t>(100 + i);
  h.evidence.remembered->erase("a");
  h.evidence.remembers_from = 101;
  EXPECT_TRUE(h.at_end().clean());
  h.evidence.remembered->erase("b");  // its first copy is just young enough
  expect_only(h.at_end(), {Flaw::effect_without_record});
}

TEST(Checker, AMessageParkedTwice) {
  History h;
  h.evidence.parked.push_back({"c", 1, 1});
  expect_only(h.after_kill(), {Flaw::parked_twice});
}

TEST(Checker, AMessageParkedThatHadToHaveAnEffect) {
  History h;
  h.evidence.parked.push_back({"a", 0, 0});
  expect_only(h.after_kill(), {Flaw::wrong_end});
}

TEST(Checker, AnEffectOfAMessageThatHadToBeParked) {
  History h;
  h.evidence.effects.push_back({"c", 1, 1, "n", 30});
  expect_only(h.after_kill(), {Flaw::wrong_end});
}

TEST(Checker, AnOffsetCommittedTooFar) {
  History h;
  h.sent.push_back({"e", 1, 3, 5});
  h.evidence.committed[1] = 4;
  expect_only(h.after_kill(), {Flaw::committed_too_far, Flaw::committed_past_store});
}

TEST(Checker, AWatermarkTooFar) {
  History h;
  h.sent.push_back({"e", 1, 3, 5});
  h.evidence.progress[1] = Progress(4);
  expect_only(h.after_kill(), {Flaw::progress_too_far});
}

TEST(Checker, ABrokerAheadOfTheStore) {
  History h;
  h.evidence.progress[0] = Progress(2);
  expect_only(h.after_kill(), {Flaw::committed_past_store});
}

TEST(Checker, ABrokerThatWasNotToldOfTheEnd) {
  History h;
  h.evidence.committed.erase(1);
  expect_only(h.at_end(), {Flaw::not_caught_up});
}

TEST(Checker, EffectsOutOfOrder) {
  History h;
  std::swap(h.evidence.effects[0], h.evidence.effects[1]);
  expect_only(h.after_kill(), {Flaw::out_of_order});
  EXPECT_TRUE(check(h.sent, h.evidence, Moment::after_kill, /*ordered=*/false).clean());
}

// --- Of a queue ------------------------------------------------------------------------------------------------

History of_a_queue() {
  History h;
  for (Sent& sent : h.sent)
    if (std::exchange(sent.partition, 0) == 1) sent.offset += 10;
  h.evidence.effects = {{"a", 0, 0, "k", 10}, {"b", 0, 1, "k", 20}, {"d", 0, 12, "m", 40}};
  h.evidence.parked = {{"c", 0, 11}, {"d", 0, 2}, {"", 0, 3}};
  h.evidence.progress.clear();
  h.evidence.committed.clear();
  h.evidence.left = 0;
  return h;
}

TEST(Checker, FindsNothingInACleanQueue) {
  EXPECT_TRUE(of_a_queue().at_end().clean());
  History h = of_a_queue();
  h.evidence.parked.push_back({"", 0, 3});
  h.evidence.parked.push_back({"d", 0, 2});
  EXPECT_TRUE(h.at_end().clean()) << "what cannot be known again is parked again";
}

TEST(Checker, AQueueThatHasLessThanIsLeftToDo) {
  History h = of_a_queue();
  h.remove_effect("a");
  h.evidence.remembered->erase("a");
  expect_only(h.after_kill(), {Flaw::committed_too_far});
  h.evidence.left = 1;
  EXPECT_TRUE(h.after_kill().clean());
}

TEST(Checker, AQueueThatIsNotEmptyAtTheEnd) {
  History h = of_a_queue();
  h.evidence.left = 1;
  expect_only(h.at_end(), {Flaw::not_caught_up});
}

TEST(Checker, AParkedMessageOfAQueueThatHasAnIdIsParkedOnce) {
  History h = of_a_queue();
  h.evidence.parked.push_back({"c", 0, 11});
  expect_only(h.at_end(), {Flaw::parked_twice});
}

TEST(Checker, TellsTheFirstFewOfManyAndCountsAll) {
  History h;
  for (int i = 0; i < 100; ++i) h.evidence.effects.push_back({"ghost " + std::to_string(i), 0, 50 + i, "g", 1});
  EXPECT_EQ(h.at_end().of(Flaw::phantom), 100u);
  EXPECT_LT(h.at_end().details.size(), 10u);
}

}  // namespace
}  // namespace idem::kills
