// Partitions that move between consumers, by agreement and against their will. All consumers of a test share
// one store in one process: a store of one's own is refused (starting_over_test.cc).
#include <mutex>

#include "on_kafka.h"

namespace idem::test {
namespace {

class Rebalance : public OnKafka {
 protected:
  std::unique_ptr<SqliteStore> store_;
  void open() {
    store_.reset();
    store_ = open_store(file);
  }
};

// A consumer that comes and goes.
struct Member {
  Member(const KafkaOptions& reads, SqliteStore& store, Handler& handler,
         const RuntimeOptions& options = quick())
      : source(reads), runtime(options) {
    runtime.add(source, store, handler);
    running.emplace(runtime);
  }
  KafkaSource source;
  Runtime runtime;
  std::optional<Background> running;
};

TEST_F(Rebalance, MembersThatJoinAndLeaveNeitherLoseNorDouble) {
  make_topic(4);
  open();
  Recorder first_handler, second_handler;
  Member stays(reading(), *store_, first_handler);
  for (int round = 0; round < 3; ++round) {
    const std::string name = "round" + std::to_string(round) + "-";
    send(name, 200);
    const int before = second_handler.calls();
    Member comes(reading(), *store_, second_handler);
    int batch = 0;
    EXPECT_TRUE(eventually([&] {  // under load while partitions move to it
      send(name + "batch" + std::to_string(batch++) + "-", 50);
      return second_handler.calls() > before + 50;
    })) << "the new member got no partition";
    send(name + "last-", 200);
    const Exit exit = comes.running->stop();  // leaves with whatever is in flight
    EXPECT_EQ(exit.reason, ExitReason::stopped) << exit.detail;
  }
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(eventually([&] { return committed() == log_ends(); }));
  EXPECT_FALSE(stays.running->ended());
  const Exit exit = stays.running->stop();
  EXPECT_TRUE(exit.ok()) << exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(Rebalance, WhatRunsWhenPartitionsAreTakenIsFinishedFirst) {
  make_topic(2);
  open();
  send("m", 40);
  Gate gate;
  std::atomic<int> waiting{0};
  Recorder slow([&](const Message&, Transaction&) -> std::optional<Outcome> {
    ++waiting;
    gate.pass();
    return std::nullopt;
  });
  Member stays(reading(), *store_, slow);
  ASSERT_TRUE(eventually([&] { return waiting > 0; }));
  Recorder handler;
  Member comes(reading(), *store_, handler);
  // The group is waiting for the first member, and that for its handler.
  ASSERT_TRUE(eventually([&] { return broker().describe_group(group).state == "PreparingRebalance"; }));
  gate.open();
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(eventually([&] { return broker().describe_group(group).members.size() == 2; }));
  EXPECT_TRUE(comes.running->stop().ok());
  EXPECT_TRUE(stays.running->stop().ok());
  EXPECT_EQ(slow.calls() + handler.calls(), 40) << "nothing that had been finished ran again";
}

TEST_F(Rebalance, TwoSourcesOfOneRuntimeShareAGroup) {
  for (int partitions : {1, 3}) {  // with one partition, one of the two has nothing to do
    topic = unique_name("e2e");
    make_topic(partitions);
    open();
    send(std::to_string(partitions) + "-", 300);
    KafkaSource first(reading()), second(reading());
    Recorder handler;
    Runtime runtime(quick());
    runtime.add(first, *store_, handler);
    runtime.add(second, *store_, handler);
    const Exit exit = runtime.run_until_caught_up();
    EXPECT_EQ(exit.reason, ExitReason::caught_up) << exit.detail;
    EXPECT_EQ(balance(), balanced);
    EXPECT_EQ(committed(), log_ends());
  }
}

// A source whose thread does not come back to it, as on a machine that hangs.
class Stalling : public Source {
 public:
  explicit Stalling(KafkaOptions options) : source_(std::move(options)) {}
  void stall(Gate& until) { until_ = &until; }

  SourceTraits traits() const override { return source_.traits(); }
  void start(SourceEvents& events, const SourceContext& context) override { source_.start(events, context); }
  void poll(std::chrono::milliseconds wait, std::size_t limit) override {
    if (Gate* gate = until_.exchange(nullptr)) gate->pass();
    source_.poll(wait, limit);
  }
  void wake() override { source_.wake(); }
  void set_paused(PartitionHandle partition, bool paused) override { source_.set_paused(partition, paused); }
  void commit(std::span<const Commit> commits, bool wait) override { source_.commit(commits, wait); }
  std::optional<std::int64_t> lag(PartitionHandle p, std::int64_t next) const override {
    return source_.lag(p, next);
  }
  void seek(PartitionHandle before, const StartAt& start) override { source_.seek(before, start); }
  void stop() override { source_.stop(); }

 private:
  KafkaSource source_;
  std::atomic<Gate*> until_{nullptr};
};

TEST_F(Rebalance, AZombieThatComesToDoublesNothing) {
  make_topic(1);
  open();
  Gate zombie_sleeps, handler_sleeps;
  std::atomic<int> in_handler{0};
  Recorder slow([&](const Message& message, Transaction&) -> std::optional<Outcome> {
    if (message.id == "m0") {
      ++in_handler;
      handler_sleeps.pass();
    }
    return std::nullopt;
  });
  Stalling zombie(reading({{"session.timeout.ms", "1500"}, {"max.poll.interval.ms", "2000"}}));
  Runtime zombies(quick());
  zombies.add(zombie, *store_, slow);
  Background zombies_run(zombies);
  send("m", 50);
  ASSERT_TRUE(eventually([&] { return in_handler == 1; }));
  zombie.stall(zombie_sleeps);
  ASSERT_TRUE(eventually([&] { return broker().describe_group(group).members.empty(); }))
      << "its session has not ended";

  Recorder handler;
  Member heir(reading(), *store_, handler);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }))
      << "the heir did not take over: " << balance();
  zombie_sleeps.open();
  ASSERT_TRUE(eventually([&] { return broker().describe_group(group).members.size() == 2; }))
      << "it has not come back";
  handler_sleeps.open();  // now it writes the effect that the heir has written already
  EXPECT_TRUE(eventually([&] { return zombies.counters().stale_completions > 0; }));
  send("n", 50);
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(heir.running->stop().ok());
  const Exit exit = zombies_run.stop();
  EXPECT_TRUE(exit.ok()) << exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(Rebalance, OfTwoWithOneInstanceIdTheOlderIsFencedOff) {
  make_topic(2);
  open();
  send("m", 20);
  Recorder handler;
  const KafkaOptions same = reading({{"group.instance.id", "the-one"}});
  Member older(same, *store_, handler);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }));
  Member newer(same, *store_, handler);
  const Exit fenced = older.running->exit();
  EXPECT_EQ(fenced.reason, ExitReason::source_failed);
  EXPECT_NE(fenced.detail.find("group.instance.id"), std::string::npos) << fenced.detail;
  send("n", 20);
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << balance();
  EXPECT_TRUE(newer.running->stop().ok());
}

// A broker of its own, because it is killed.
class BrokerDeath : public Rebalance {
 protected:
  void SetUp() override {
    IDEM_NEEDS("kafka", kafka_missing());
    Rebalance::SetUp();
    own_.emplace();
  }
  KafkaBroker& broker() override { return *own_; }
  std::optional<KafkaBroker> own_;
};

TEST_F(BrokerDeath, UnderLoadLosesNothingAndDoublesNothing) {
  make_topic(3);
  open();
  std::atomic<bool> producing{true};
  std::atomic<int> produced{0};
  std::mutex mutex;
  std::vector<std::string> ids;
  std::thread producer([&] {
    KafkaClient client(broker().bootstrap(), {{"enable.idempotence", "true"}});
    for (int batch = 0; producing; ++batch) {
      const auto records = messages("b" + std::to_string(batch) + "-", 20);
      {
        std::lock_guard lock(mutex);
        for (auto& id : ids_of(records)) ids.push_back(id);
      }
      // A batch that fails is sent again: what had arrived of it comes twice, which is what ids are for.
      for (;;) try {
          client.produce(topic, records);
          break;
        } catch (const std::runtime_error&) {
        }
      produced += 20;
    }
  });
  Recorder handler;
  Member member(reading(), *store_, handler);
  for (int round = 0; round < 2; ++round) {
    const int goal = produced + 200, handled = handler.calls();
    EXPECT_TRUE(eventually([&] { return produced >= goal && handler.calls() > handled + 100; }));
    broker().kill();
    broker().restart();
  }
  const int goal = produced + 200;
  EXPECT_TRUE(eventually([&] { return produced >= goal; }));
  producing = false;
  producer.join();
  EXPECT_TRUE(eventually([&] { return account(ids, effects()) == balanced; })) << account(ids, effects());
  EXPECT_TRUE(eventually([&] { return committed() == log_ends(); })) << "the offset commits go on";
  EXPECT_FALSE(member.running->ended());
  const Exit exit = member.running->stop();
  EXPECT_TRUE(exit.ok()) << exit.detail;
}

}  // namespace
}  // namespace idem::test
