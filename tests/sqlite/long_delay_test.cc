// Long delays in a file: what one process was told to do later, the next one does, once.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "service_lives.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

using SqliteLongDelay = ServiceLives;

TEST_F(SqliteLongDelay, it_comes_back_in_the_next_process_when_it_is_due_and_is_handled_once) {
  for (const char* id : {"a", "late", "b"}) log.append(0, entry(id, std::string("payload of ") + id, "key"));
  const Counters first = live([](const Message& message, Transaction& tx) {
    effect(tx, std::string(message.id));
    return message.id == "late" ? retry_after(1h, "not yet") : done();
  });
  EXPECT_EQ(first.delayed, 1u);
  EXPECT_EQ(seen_effects, (Names{"a", "b"}));
  EXPECT_EQ(log.committed(0)->first, 3) << "the broker was told of all three";

  const Counters early = live(write);
  EXPECT_EQ(early.returned, 0u) << "it is not due";

  let_pass(2h);
  const Counters second = live([](const Message& message, Transaction& tx) {
    EXPECT_EQ(message.id, "late");
    EXPECT_EQ(message.attempt, 2);
    EXPECT_EQ(message.text(), "payload of late");
    EXPECT_EQ(message.key, "key");
    EXPECT_EQ(message.header("id"), "late");
    EXPECT_EQ(message.topic, "payments");
    EXPECT_EQ(message.offset, 1);
    return write(message, tx);
  });
  EXPECT_EQ(second.returned, 1u);
  EXPECT_EQ(second.done, 1u);
  EXPECT_EQ(seen_effects, (Names{"a", "b", "late"}));

  log.append(0, entry("late", "payload of late", "key"));
  const Counters third = live(write);
  EXPECT_EQ(third.returned, 0u);
  EXPECT_EQ(third.done, 0u) << "a copy of what is done";
  EXPECT_EQ(seen_effects, (Names{"a", "b", "late"}));
}

TEST_F(SqliteLongDelay, a_clock_that_is_put_back_makes_it_later_and_loses_nothing) {
  log.append(0, entry("late"));
  live([](const Message&, Transaction&) { return retry_after(1h, "not yet"); });
  let_pass(-24h);
  EXPECT_EQ(live(write).returned, 0u);
  let_pass(24h + 2h);
  EXPECT_EQ(live(write).done, 1u);
  EXPECT_EQ(seen_effects, Names{"late"});
}

TEST_F(SqliteLongDelay, a_message_known_by_its_position_comes_back_too) {
  options.identity = id_from_position();
  log.append(0, entry("ignored", "payload"));
  live([](const Message&, Transaction&) { return retry_after(1h, "not yet"); });
  let_pass(2h);
  const Counters c = live([](const Message& message, Transaction& tx) {
    effect(tx, std::string(message.text()));
    return done();
  });
  EXPECT_EQ(c.done, 1u);
  EXPECT_EQ(live(write).returned, 0u);
  EXPECT_EQ(seen_effects, Names{"payload"});
}

TEST_F(SqliteLongDelay, many_come_back_within_the_budget) {
  options.budget.messages = 20;
  constexpr int messages = 3'000;
  for (int i = 0; i < messages; ++i) log.append(0, entry(std::to_string(i)));
  EXPECT_EQ(live([](const Message&, Transaction&) { return retry_after(1h, "not yet"); }).delayed, 3'000u);
  let_pass(2h);
  std::atomic<int> failures{0};
  const Counters c = live([&](const Message& message, Transaction& tx) {
    const auto outcome = write(message, tx);
    return message.attempt == 2 && message.offset % 7 == 0 && ++failures ? retry("once more") : outcome;
  });
  EXPECT_EQ(c.returned, 3'000u);
  EXPECT_EQ(c.done, 3'000u);
  EXPECT_GT(failures, 0);
  EXPECT_EQ(seen_effects.size(), 3'000u);
  EXPECT_EQ(std::adjacent_find(seen_effects.begin(), seen_effects.end()), seen_effects.end()) << "none twice";
}

#ifdef IDEM_FAILPOINTS
TEST_F(SqliteLongDelay, killed_at_any_step_nothing_is_lost_or_doubled) {
  constexpr std::size_t messages = 20;
  options_.group_messages = 3;  // many commits
  const auto put_off_first = [](const Message& message, Transaction& tx) {
    return message.attempt == 1 ? retry_after(1ms, "not yet") : write(message, tx);
  };
  options.retry.long_delay = 0ms;
  std::size_t expected = 0;
  for (const char* place :
       {"store.delay:kill", "store.delay:kill@7", "io.returned:kill", "io.returned:kill@5", "worker.handler_return:kill@12",
        "store.record:kill@4", "store.before_commit:kill@5", "store.before_commit:kill@8", "store.before_commit:kill@11",
        "store.after_commit:kill@4", "store.after_commit:kill@7", "store.after_commit:kill@10"}) {
    SCOPED_TRACE(place);
    for (std::size_t i = 0; i < messages; ++i) log.append(0, entry(std::to_string(i) + " of " + place));
    expected += messages;
    const auto all_there = [&] { wait_until([&] { return effects().size() >= expected; }); };
    if (const pid_t child = ::fork(); child == 0) {
      failpoint::arm(place);
      live_until(all_there, put_off_first);
      ::_exit(0);
    } else {
      int status = 0;
      ::waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status)) << "the place was never reached";
    }
    live_until(all_there, put_off_first);
    EXPECT_EQ(seen_effects.size(), expected);
    EXPECT_EQ(std::adjacent_find(seen_effects.begin(), seen_effects.end()), seen_effects.end()) << "none twice";
    EXPECT_TRUE(sql("SELECT number FROM idem_returning").empty());
  }
}
#endif

}  // namespace
}  // namespace idem::test
