// The consumer as a process: told to stop, stopped by force, hanging, doubled.
#include <csignal>
#include <fstream>

#include "on_kafka.h"
#include "support/process.h"

namespace idem::test {
namespace {

class ConsumerProcess : public OnKafka {
 protected:
  Process start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv = {IDEM_TEST_CONSUMER,
                                     "--file",
                                     file.string(),
                                     "--topic",
                                     topic,
                                     "--group",
                                     group,
                                     "--bootstrap",
                                     broker().bootstrap(),
                                     "--property",
                                     "session.timeout.ms=" + session,
                                     "--property",
                                     "max.poll.interval.ms=600000"};
    argv.insert(argv.end(), more.begin(), more.end());
    return Process(argv, {.output = log, .errors = log});
  }
  // A message whose handler waits for open(name), after one that makes waiting(name) true.
  Record waits(const std::string& id, const std::string& name) {
    return {.payload = "waits", .headers = {{"id", id}, {"do", "pass " + gate(name)}}};
  }
  std::string gate(const std::string& name) { return (scratch / name).string(); }
  void open(const std::string& name) { std::ofstream out(gate(name)); }
  bool waiting(const std::string& name) { return std::filesystem::exists(gate(name) + ".waiting"); }
  bool waits_for_balance() {
    return eventually([&] { return balance() == balanced; });
  }
  std::string said() const { return contents(log); }

  std::string session = "6000";
  const std::filesystem::path log = scratch / "consumer.log";
};

constexpr auto patience = 60s;

TEST_F(ConsumerProcess, SigtermFinishesWhatRunsCommitsAndExitsWithZero) {
  make_topic();
  send({waits("slow", "gate")});
  Process consumer = start();
  ASSERT_TRUE(eventually([&] { return waiting("gate"); })) << said();
  consumer.terminate();
  EXPECT_FALSE(consumer.wait_for(300ms)) << "it must wait for its handler\n" << said();
  EXPECT_TRUE(effects().empty());
  open("gate");
  const auto status = consumer.wait_for(patience);
  ASSERT_TRUE(status) << said();
  EXPECT_EQ(status->code, 0) << status->to_string() << '\n' << said();
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
  EXPECT_EQ(broker().describe_group(group).members.size(), 0u) << "it has left the group";
}

TEST_F(ConsumerProcess, ASecondSigtermEndsItAtOnce) {
  make_topic();
  send({waits("slow", "gate")});
  send("m", 20);
  {
    Process consumer = start({"--drain-ms", "600000"});
    ASSERT_TRUE(eventually([&] { return waiting("gate"); })) << said();
    consumer.terminate();
    EXPECT_FALSE(consumer.wait_for(300ms)) << "one signal is not two\n" << said();
    consumer.terminate();
    const auto status = consumer.wait_for(patience);
    ASSERT_TRUE(status) << "two signals did not end it\n" << said();
    EXPECT_EQ(status->code, 128 + SIGTERM) << status->to_string();
  }
  open("gate");
  Process again = start();
  EXPECT_TRUE(waits_for_balance()) << balance() << said();
}

TEST_F(ConsumerProcess, AHandlerThatHangsPastTheDeadlineCostsTheExitCodeAndNoMessage) {
  make_topic(2);
  send({waits("hangs", "gate")});
  send("m", 50);
  Process consumer = start({"--drain-ms", "200"});
  ASSERT_TRUE(eventually([&] { return waiting("gate"); })) << said();
  consumer.terminate();
  const auto status = consumer.wait_for(patience);
  ASSERT_TRUE(status) << "it waits for ever\n" << said();
  EXPECT_EQ(status->code, 1) << status->to_string();
  EXPECT_NE(said().find("drain timeout"), std::string::npos) << said();
  EXPECT_NE(balance(), balanced);

  open("gate");
  Process again = start();
  EXPECT_TRUE(waits_for_balance()) << balance() << said();
  EXPECT_TRUE(eventually([&] { return committed() == log_ends(); }));
}

TEST_F(ConsumerProcess, AHandlerThatCallsExitEndsTheProcessAndLosesNothing) {
  make_topic();
  send("m", 20);
  send({{.payload = gate("was here"), .headers = {{"id", "leaves"}, {"do", "exit 7"}}}});
  send("n", 20);
  Process consumer = start();
  const auto status = consumer.wait_for(patience);
  ASSERT_TRUE(status) << said();
  EXPECT_EQ(status->code, 7) << status->to_string() << '\n' << said();
  EXPECT_NE(balance(), balanced);
  Process again = start();
  EXPECT_TRUE(waits_for_balance()) << balance() << said();
}

TEST_F(ConsumerProcess, StoppedForLongerThanItsSessionItGoesOnWhereItWas) {
  session = "1500";
  make_topic(2);
  Process consumer = start();
  send("before-", 50);
  ASSERT_TRUE(waits_for_balance()) << balance() << said();
  send({waits("across", "gate")});
  ASSERT_TRUE(eventually([&] { return waiting("gate"); })) << said();
  consumer.pause();
  ASSERT_TRUE(eventually([&] { return broker().describe_group(group).members.empty(); }))
      << "the session has not ended";
  open("gate");
  send("meanwhile-", 50);
  consumer.resume();
  EXPECT_TRUE(waits_for_balance()) << balance() << said();
  send("after-", 50);
  EXPECT_TRUE(waits_for_balance()) << balance() << said();
  EXPECT_TRUE(eventually([&] { return committed() == log_ends(); }));
}

TEST_F(ConsumerProcess, TheNextOneWaitsForTheFileAndTakesOverFromOneThatHangs) {
  session = "1500";
  make_topic(2);
  Process zombie = start();
  send("m", 50);
  ASSERT_TRUE(waits_for_balance()) << balance() << said();
  send({waits("across", "gate")});
  ASSERT_TRUE(eventually([&] { return waiting("gate"); })) << said();
  zombie.pause();
  Process heir = start({"--wait-for-owner-ms", "60000"});
  send("n", 50);
  ASSERT_TRUE(eventually([&] { return broker().describe_group(group).members.empty(); }))
      << "the session has not ended";
  EXPECT_TRUE(heir.running()) << "a file in use is waited for\n" << said();
  zombie.kill();
  open("gate");
  EXPECT_TRUE(waits_for_balance()) << balance() << said();
  heir.terminate();
  const auto status = heir.wait_for(patience);
  ASSERT_TRUE(status) << said();
  EXPECT_EQ(status->code, 0) << said();
}

TEST_F(ConsumerProcess, ASecondProcessOnTheFileIsRefusedByThePidOfTheFirst) {
  make_topic();
  Process first = start();
  send("m", 20);
  ASSERT_TRUE(waits_for_balance()) << said();
  const std::size_t before = said().size();
  Process second = start();
  const auto status = second.wait_for(patience);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 2) << status->to_string();
  const std::string words = said().substr(before);
  EXPECT_NE(words.find(std::to_string(first.pid())), std::string::npos) << words;
  EXPECT_NE(words.find("PostgreSQL"), std::string::npos) << words;
  send("n", 20);
  EXPECT_TRUE(waits_for_balance()) << "the first one goes on\n" << said();
}

TEST_F(ConsumerProcess, AStaticMemberKilledIsBackBeforeItsSessionEnds) {
  session = "600000";  // without an instance id the partitions would be free in ten minutes
  make_topic(2);
  const std::vector<std::string> instance = {"--property", "group.instance.id=the-one"};
  send("m", 100);
  for (int round = 0; round < 3; ++round) {
    Process consumer = start(instance);
    send("round" + std::to_string(round) + "-", 50);
    EXPECT_TRUE(waits_for_balance()) << balance() << said();
    const auto members = broker().describe_group(group).members;
    ASSERT_EQ(members.size(), 1u);
    EXPECT_EQ(members[0].instance_id, "the-one");
    consumer.kill();
  }
}

}  // namespace
}  // namespace idem::test
