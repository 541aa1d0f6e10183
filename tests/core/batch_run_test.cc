// What a worker makes of the answers of a store: the store here says what the test wants.
#include <deque>

#include "core/parking_ration.h"
#include "core_fixture.h"
#include "runtime/handler_run.h"

namespace idem::runtime {
namespace {

using core::Completion;
using core::CoreTest;
using core::Delivery;
using core::Verdict;
using Kind = Completion::Kind;

/// Answers from its lists; what is not in them is fresh and joins.
class ScriptedSession final : public Session, public Transaction {
 public:
  std::deque<Seen> seen;
  std::deque<Joined> finished, rolled_back;
  std::vector<std::int64_t> joined;
  std::vector<Conclusion> conclusions;
  std::size_t takes_back = 0;
  bool busy = false, gone = false;

  void look_up(std::span<const Record* const> records, std::span<Seen> answers) override {
    check();
    for (std::size_t i = 0; i < records.size(); ++i) answers[i] = take(seen, Seen::fresh);
  }
  Transaction& begin(const Record&) override { return *this; }
  Joined finish(const Record& record, const Conclusion& conclusion) override {
    check();
    const Joined answer = take(finished, Joined::joined);
    if (answer == Joined::joined) {
      joined.push_back(record.message->offset);
      conclusions.push_back(conclusion);
    }
    return answer;
  }
  Joined roll_back() override { return take(rolled_back, Joined::joined); }
  std::size_t taken_back() const override { return takes_back; }
  void yield() override {}
  void* native_handle() override { return nullptr; }

 private:
  template <class T>
  static T take(std::deque<T>& list, T otherwise) {
    if (list.empty()) return otherwise;
    const T first = list.front();
    list.pop_front();
    return first;
  }
  void check() const {
    if (gone) throw StoreError("gone", /*transient=*/false);
    if (busy) throw StoreError("busy", /*transient=*/true);
  }
  std::int64_t execute(std::string_view, std::span<const Value>) override { return 0; }
  void select(std::string_view, std::span<const Value>, const std::function<void(const Row&)>&) override {}
};

class BatchRunTest : public CoreTest, public Handler {
 protected:
  BatchRunTest() { policy.attempts = 3; }

  Outcome handle(const Message& message, Transaction&) override {
    handled.push_back(message.offset);
    if (message.offset == failing) return retry("it fails");
    if (message.offset == deadly) return dead_letter("it is bad");
    return done();
  }

  /// Messages 0, 1, … of one partition, in one batch.
  void send(int count) {
    core::Partition& p = assign(0);
    for (int offset = 0; offset < count; ++offset) {
      items.push_back(receive(p, offset, "id " + std::to_string(offset)));
      batch.items.push_back(items.back());
    }
  }
  void run() {
    HandlerRun run(session, *this, policy, events);
    run.start(batch);
    while (run.step()) {
    }
  }
  /// What came back, by offset; what joined comes back from the store.
  std::vector<std::pair<std::int64_t, Kind>> returned() const {
    std::vector<std::pair<std::int64_t, Kind>> all;
    for (const WorkerEvent& event : events)
      all.emplace_back(event.completion.delivery->message.offset, event.completion.kind);
    return all;
  }
  using Returned = std::vector<std::pair<std::int64_t, Kind>>;

  ScriptedSession session;
  WorkerPolicy policy;
  std::vector<WorkerEvent> events;
  core::Batch batch;
  std::vector<Delivery*> items;
  std::vector<std::int64_t> handled;
  std::int64_t failing = -1, deadly = -1;
};

TEST_F(BatchRunTest, HandlesAllInOrderAndJoinsThem) {
  send(3);
  run();
  EXPECT_EQ(handled, (Offsets{0, 1, 2}));
  EXPECT_EQ(session.joined, (Offsets{0, 1, 2}));
  EXPECT_EQ(returned(), Returned{});
  EXPECT_EQ(items[0]->verdict, Verdict::done);
}

TEST_F(BatchRunTest, ADuplicateIsNotHandledAndMovesThePositionOn) {
  send(2);
  session.seen = {Seen::duplicate, Seen::fresh};
  run();
  EXPECT_EQ(handled, (Offsets{1}));
  EXPECT_EQ(session.conclusions[0].kind, Conclusion::Kind::skipped);
  EXPECT_EQ(items[0]->verdict, Verdict::duplicate);
}

TEST_F(BatchRunTest, AConflictIsParkedOrSkippedAsAsked) {
  send(1);
  session.seen = {Seen::conflict, Seen::conflict};
  run();
  EXPECT_EQ(session.conclusions[0].reason, ParkReason::id_conflict);
  policy.on_conflict = OnConflict::duplicate;
  run();
  EXPECT_EQ(session.conclusions[1].kind, Conclusion::Kind::skipped);
  EXPECT_EQ(handled, (Offsets{}));
}

TEST_F(BatchRunTest, AnUndecidableOneIsParkedOrRunAsAsked) {
  send(1);
  session.seen = {Seen::undecidable, Seen::undecidable};
  run();
  EXPECT_EQ(session.conclusions[0].reason, ParkReason::undecidable);
  EXPECT_EQ(handled, (Offsets{}));
  policy.on_undecidable = OnUndecidable::run;
  run();
  EXPECT_EQ(handled, (Offsets{0}));
}

TEST_F(BatchRunTest, AfterARetryTheRestOfTheLaneIsNotRun) {
  send(3);
  failing = 1;
  run();
  EXPECT_EQ(handled, (Offsets{0, 1}));
  EXPECT_EQ(returned(), (Returned{{1, Kind::retry}, {2, Kind::returned}}));
}

TEST_F(BatchRunTest, ADeadLetterIsParkedAndTheLaneGoesOn) {
  send(2);
  deadly = 0;
  run();
  EXPECT_EQ(session.conclusions[0].reason, ParkReason::dead_letter);
  EXPECT_EQ(session.conclusions[0].why, "it is bad");
  EXPECT_EQ(session.joined, (Offsets{0, 1}));
}

TEST_F(BatchRunTest, TheLastAttemptParks) {
  send(1);
  failing = 0;
  items[0]->attempts = 2;
  run();
  EXPECT_EQ(session.conclusions[0].reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(session.conclusions[0].attempts, 3);
}

TEST_F(BatchRunTest, NotWhileTheBreakerIsOpen) {
  send(1);
  failing = 0;
  items[0]->attempts = 2;
  items[0]->ration->hold(true);
  run();
  EXPECT_EQ(returned(), (Returned{{0, Kind::retry}}));
  EXPECT_EQ(session.joined, (Offsets{}));
  EXPECT_FALSE(items[0]->rationed);
}

TEST_F(BatchRunTest, AndNotWhenTheRationIsUsedUp) {
  options.ordering = Ordering::unordered;
  options.circuit_breaker.parking_allowance = 1;
  send(2);
  for (core::Delivery* d : items) d->attempts = 2;
  failing = 0;
  run();
  EXPECT_EQ(session.joined, (Offsets{0, 1}));
  EXPECT_TRUE(items[0]->rationed);
  failing = 1;
  run();
  EXPECT_EQ(returned(), (Returned{{1, Kind::retry}}));
}

TEST_F(BatchRunTest, StaleOnesAreReturnedUnhandled) {
  send(2);
  core().release(items[0]->handle);
  // release() drops what was not dispatched: the views stay, and only their epoch matters here.
  run();
  EXPECT_EQ(handled, (Offsets{}));
  EXPECT_EQ(events.size(), 2u);
}

TEST_F(BatchRunTest, ABusyStoreGivesTheRestBackUnblamed) {
  send(2);
  session.busy = true;
  run();
  EXPECT_EQ(returned(), (Returned{{0, Kind::store_busy}, {1, Kind::store_busy}}));
}

TEST_F(BatchRunTest, AStoreThatIsGoneEndsTheRunWithEverythingHandedBack) {
  send(2);
  session.gone = true;
  EXPECT_THROW(run(), StoreError);
  EXPECT_EQ(returned(), (Returned{{0, Kind::returned}, {1, Kind::returned}}));
}

// An id that got in since look-up may carry other content: then skipping the message loses it.
TEST_F(BatchRunTest, AnIdThatGotInMeanwhileIsLookedUpAgain) {
  send(1);
  session.finished = {Joined::duplicate};
  run();
  EXPECT_EQ(returned(), (Returned{{0, Kind::returned}}));
  EXPECT_EQ(session.joined, (Offsets{}));
}

TEST_F(BatchRunTest, AfterALostGroupNothingOfTheBatchGoesOn) {
  send(3);
  session.finished = {Joined::joined, Joined::interrupted};
  run();
  EXPECT_EQ(handled, (Offsets{0, 1}));
  EXPECT_EQ(returned(), (Returned{{1, Kind::returned}, {2, Kind::returned}}));
  EXPECT_TRUE(items[1]->record.alone);
  EXPECT_EQ(items[1]->attempts, 0) << "nobody knows whose fault it was";
}

TEST_F(BatchRunTest, AloneItIsAtFaultAndThatIsAnAttempt) {
  send(1);
  items[0]->record.alone = true;
  session.finished = {Joined::interrupted};
  run();
  EXPECT_EQ(returned(), (Returned{{0, Kind::retry}}));
}

// Parked at once it overtook the message of its lane whose group had just failed.
TEST_F(BatchRunTest, WhoeverBreaksTheGroupAtTheLastAttemptIsParkedInTheNextBatch) {
  send(1);
  items[0]->record.alone = true;
  items[0]->attempts = 2;
  session.finished = {Joined::interrupted};
  run();
  EXPECT_EQ(returned(), (Returned{{0, Kind::returned}}));
  EXPECT_EQ(session.joined, (Offsets{}));
  handled.clear();
  run();
  EXPECT_EQ(handled, (Offsets{})) << "its handler is not called any more";
  EXPECT_EQ(session.conclusions[0].reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(session.conclusions[0].attempts, 3);
}

TEST_F(BatchRunTest, UnlessTheBreakerHasOpenedMeanwhileThenItIsCalledOnceMore) {
  send(1);
  items[0]->record.alone = true;
  items[0]->attempts = 2;
  session.finished = {Joined::interrupted};
  run();
  ASSERT_TRUE(items[0]->must_park);
  EXPECT_TRUE(items[0]->rationed);
  items[0]->ration->hold(true);
  failing = 0;
  handled.clear();
  run();
  EXPECT_EQ(handled, (Offsets{0}));
  EXPECT_EQ(items[0]->message.attempt, 4);
  EXPECT_EQ(returned().back(), (std::pair<std::int64_t, Kind>{0, Kind::retry}));
  EXPECT_FALSE(items[0]->must_park);
}

TEST_F(BatchRunTest, WhoeverBreaksTheGroupWhileTheBreakerIsOpenIsTriedOn) {
  send(1);
  items[0]->record.alone = true;
  items[0]->attempts = 2;
  items[0]->ration->hold(true);
  session.finished = {Joined::interrupted};
  run();
  EXPECT_EQ(returned(), (Returned{{0, Kind::retry}}));
}

// Interrupted at every attempt it came again for ever.
TEST_F(BatchRunTest, AHandlerThatEndsItsTransactionAndFailsIsParkedToo) {
  send(1);
  failing = 0;
  items[0]->record.alone = true;
  items[0]->attempts = 2;
  session.rolled_back = {Joined::interrupted};
  run();
  run();
  EXPECT_EQ(session.conclusions[0].reason, ParkReason::attempts_exhausted);
  EXPECT_EQ(session.conclusions[0].why, "it fails");
}

TEST_F(BatchRunTest, WhatTheStoreTookBackRunsAgainInOrderAndThenTheFailedOne) {
  send(5);
  failing = 3;
  session.takes_back = 2;
  session.rolled_back = {Joined::again, Joined::joined};
  run();
  EXPECT_EQ(handled, (Offsets{0, 1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(session.joined, (Offsets{0, 1, 2, 1, 2}));
  EXPECT_EQ(returned(), (Returned{{3, Kind::retry}, {4, Kind::returned}})) << "one attempt, and its lane waits";
}

TEST_F(BatchRunTest, OnlyWhatJoinedIsTakenBack) {
  send(5);
  session.seen = {Seen::fresh, Seen::duplicate, Seen::fresh, Seen::fresh, Seen::fresh};
  session.takes_back = 2;
  session.finished = {Joined::joined, Joined::joined, Joined::joined, Joined::again};
  run();
  EXPECT_EQ(handled, (Offsets{0, 2, 3, 2, 3, 4}));
  EXPECT_EQ(session.joined, (Offsets{0, 1, 2, 1, 2, 3, 4}));
  EXPECT_EQ(returned(), Returned{});
}

}  // namespace
}  // namespace idem::runtime
