// Where a consumer starts: what the broker has committed held against what the store remembers. One test for
// each row of the README's table "Starting", on a real Kafka, each with the accounts balanced at the end.
#include "on_kafka.h"

namespace idem::test {
namespace {

namespace fs = std::filesystem;

class StartingOver : public OnKafka {
 protected:
  // What the last commit of a partition was: offset and metadata.
  CommittedOffset last_commit(std::int32_t partition = 0) {
    return client().committed(group, topic, {partition}).at(partition);
  }
  // Waits until nobody is in the group: resets and commits from outside are refused while it has members.
  void wait_for_empty_group() {
    ASSERT_TRUE(eventually([&] { return broker().describe_group(group).members.empty(); }));
  }
};

bool says(const Exit& exit, const std::string& words) { return exit.detail.find(words) != std::string::npos; }

RuntimeOptions accepting(Accept accept) {
  RuntimeOptions options = quick();
  options.accept = accept;
  return options;
}

// A store's file with all that belongs to it.
void copy_ledger(const fs::path& from, const fs::path& to) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    fs::remove(to.string() + suffix);
    if (fs::exists(from.string() + suffix)) fs::copy_file(from.string() + suffix, to.string() + suffix);
  }
}

void remove_ledger(const fs::path& file) {
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(file.string() + suffix);
}

// --- Nothing committed, or not by us
// --------------------------------------------------------------------------------

TEST_F(StartingOver, AFirstStartReadsEverything) {
  make_topic(3);
  send("m", 100);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(StartingOver, AFirstStartReadsOnlyWhatIsNewIfToldSo) {
  make_topic();
  client().produce(topic, messages("old", 30));
  const KafkaOptions latest = reading({{"auto.offset.reset", "latest"}});
  ASSERT_TRUE(catch_up(latest).exit.ok());
  EXPECT_EQ(committed(), log_ends())
      << "the first position is committed, so that nothing sent meanwhile is skipped";
  send("new", 30);
  ASSERT_TRUE(catch_up(latest).exit.ok());
  EXPECT_EQ(balance(), balanced);
}

TEST_F(StartingOver, ARawConsumerIsReplacedWhereItHadCome) {
  make_topic();
  client().produce(topic, messages("its", 40, 0));
  client().commit(group, {topic, 0}, {40, ""});
  send("ours", 40, 0);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

// --- Committed by this store
// ----------------------------------------------------------------------------------------

TEST_F(StartingOver, ARestartGoesOnAtTheWatermark) {
  make_topic(2);
  send("m", 100);
  ASSERT_TRUE(catch_up().exit.ok());
  send("n", 100);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 100);
  EXPECT_EQ(balance(), balanced);
}

TEST_F(StartingOver, WhatWasDurableButNotYetCommittedIsNotRunAgain) {
  make_topic();
  send("m", 100, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  wait_for_empty_group();
  const CommittedOffset end = last_commit();
  client().commit(group, {topic, 0},
                  {end.offset - 60, end.metadata});  // as after a crash before the last commits
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 0);
  EXPECT_LE(life.counters.received, 1u) << "it begins at the store's watermark, not at the broker's offset; "
                                           "the last record is read again to be compared";
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
}

TEST_F(StartingOver, ARestoredBackupReadsAgainWhatItHasForgotten) {
  make_topic(2);
  send("before-", 100);
  ASSERT_TRUE(catch_up().exit.ok());
  copy_ledger(file, scratch / "backup.db");
  send("after-", 100);
  ASSERT_TRUE(catch_up().exit.ok());
  copy_ledger(scratch / "backup.db", file);
  ASSERT_NE(balance(), balanced);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 100) << "what the backup remembers is not run again";
  EXPECT_EQ(balance(), balanced);
}

// --- Committed by another store
// -------------------------------------------------------------------------------------

TEST_F(StartingOver, AMissingFileIsRefusedUntilAccepted) {
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  remove_ledger(file);
  const Life refused = catch_up();
  EXPECT_EQ(refused.exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(refused.exit, "accept.empty_store")) << refused.exit.detail;
  EXPECT_EQ(refused.calls, 0);

  sent.clear();  // their effects were in the lost file
  send("n", 50, 0);
  const Life accepted = catch_up(reading(), accepting({.empty_store = true}));
  EXPECT_EQ(accepted.exit.reason, ExitReason::caught_up) << accepted.exit.detail;
  EXPECT_EQ(balance(), balanced);
  const Life next = catch_up();
  EXPECT_EQ(next.exit.reason, ExitReason::caught_up) << "accepted once, it is ours: " << next.exit.detail;
}

TEST_F(StartingOver, ARenamedConsumerIsRefusedLikeAMissingFile) {
  make_topic();
  send("m", 50);
  ASSERT_TRUE(catch_up().exit.ok());
  const Life renamed = catch_up(reading(), quick("another name"));
  EXPECT_EQ(renamed.exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(renamed.exit, "accept.empty_store")) << renamed.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(StartingOver, AMovedServiceAdoptsWhatTheOtherStoreHasDone) {
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  file = scratch / "elsewhere.db";
  sent.clear();
  send("n", 50, 0);
  const Life refused = catch_up();
  EXPECT_EQ(refused.exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(refused.exit, "accept.other_store")) << refused.exit.detail;
  const Life adopted = catch_up(reading(), accepting({.other_store = true}));
  EXPECT_EQ(adopted.exit.reason, ExitReason::caught_up) << adopted.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

// --- A second replica with a file of its own
// ------------------------------------------------------------------------

struct Replica {
  Replica(const fs::path& file, const KafkaOptions& reads, const RuntimeOptions& options = quick())
      : store(open_store(file)), source(reads), runtime(options) {
    runtime.add(source, *store, handler);
    running.emplace(runtime);
  }
  std::unique_ptr<SqliteStore> store;
  Recorder handler;
  KafkaSource source;
  Runtime runtime;
  std::optional<Background> running;
};

TEST_F(StartingOver, ASecondReplicaIsRefusedAtItsStart) {
  make_topic(2);
  Replica first(file, reading());
  send("m", 50);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }));
  ASSERT_TRUE(eventually([&] { return committed() == log_ends(); }));
  Replica second(scratch / "second.db", reading());
  const Exit exit = second.running->exit();
  EXPECT_EQ(exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(exit, "PostgreSQL")) << exit.detail;
  EXPECT_TRUE(says(exit, first.store->traits().id)) << exit.detail;
  EXPECT_TRUE(says(exit, second.store->traits().id)) << exit.detail;
  EXPECT_EQ(second.handler.calls(), 0);
  send("n", 50);
  EXPECT_TRUE(eventually([&] { return balance() == balanced; })) << "the first one goes on: " << balance();
  EXPECT_TRUE(first.running->stop().ok());
}

TEST_F(StartingOver, AReplicaThatWasThereFirstIsFoundWhileRunning) {
  make_topic(2);
  Replica first(file, reading_fixed({0}));
  send("m", 50, 0);
  ASSERT_TRUE(eventually([&] { return balance() == balanced; }));
  // The other one is told to ignore what it sees, so only the first one's regular look can find the two.
  Replica second(scratch / "second.db", reading_fixed({1}), accepting({.other_store = true}));
  const Exit exit = first.running->exit();
  EXPECT_EQ(exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(exit, "PostgreSQL")) << exit.detail;
  EXPECT_TRUE(says(exit, second.store->traits().id)) << exit.detail;
  EXPECT_TRUE(second.running->stop().ok());
}

TEST_F(StartingOver, OfTwoReplicasThatStartTogetherAtMostOneStays) {
  make_topic(2);
  Replica first(file, reading());
  Replica second(scratch / "second.db", reading());
  ASSERT_TRUE(eventually([&] { return first.running->ended() || second.running->ended(); }));
  const bool first_ended = first.running->ended();
  const Exit exit = first_ended ? first.running->exit() : second.running->exit();
  EXPECT_EQ(exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(exit, "PostgreSQL")) << exit.detail;
}

// --- An operator's reset
// ----------------------------------------------------------------------------------------------

TEST_F(StartingOver, AnOperatorsResetForwardIsHonoured) {
  IDEM_NEEDS("kafka", kafka_missing());
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  client().produce(topic, messages("unwanted", 30, 0));
  wait_for_empty_group();
  broker().reset_offsets(group, topic, {"--to-offset", "80"});
  send("n", 50, 0);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 50);
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
}

TEST_F(StartingOver, AnOperatorsResetBackReadsAgainAndSkipsWhatIsRemembered) {
  IDEM_NEEDS("kafka", kafka_missing());
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  wait_for_empty_group();
  broker().reset_offsets(group, topic, {"--to-offset", "20"});
  send("n", 10, 0);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.counters.received, 40u);
  EXPECT_EQ(life.counters.duplicates, 30u);
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
}

TEST_F(StartingOver, AnOperatorsResetBackRunsAgainWhatIsKnownByPositionOnly) {
  IDEM_NEEDS("kafka", kafka_missing());
  make_topic();
  client().produce(topic, messages("m", 50, 0));
  RuntimeOptions by_position = quick();
  by_position.identity = id_from_position();
  ASSERT_TRUE(catch_up(reading(), by_position).exit.ok());
  wait_for_empty_group();
  broker().reset_offsets(group, topic, {"--shift-by", "-30"});
  const Life life = catch_up(reading(), by_position);
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(life.calls, 30);
  EXPECT_EQ(effects().size(), 80u) << "nothing but positions was remembered, and those were reset";
}

// --- Another log
// --------------------------------------------------------------------------------------------------------

// What is expected of a partition whose log is not the one the store knows: unread until accepted, and then
// read from the beginning with the ids kept. `copies` were sent before under the same ids.
class AnotherLog : public StartingOver {
 protected:
  void recreate_topic(int partitions = 1) {
    wait_for_empty_group();
    broker().delete_topic(topic);
    broker().create_topic(topic, partitions);
  }
  void expect_refused_until_accepted(int new_messages) {
    const auto before = effects().size();
    const Life refused = catch_up();
    EXPECT_EQ(refused.exit.reason, ExitReason::refused);
    EXPECT_TRUE(says(refused.exit, "accept.recreated_topic")) << refused.exit.detail;
    EXPECT_TRUE(says(refused.exit, topic + "[0]")) << refused.exit.detail;
    EXPECT_EQ(effects().size(), before) << "the partition is not read";
    const Life accepted = catch_up(reading(), accepting({.recreated_topic = true}));
    EXPECT_EQ(accepted.exit.reason, ExitReason::caught_up) << accepted.exit.detail;
    EXPECT_EQ(accepted.calls, new_messages);
    EXPECT_EQ(balance(), balanced);
    EXPECT_EQ(committed(), log_ends());
    send("later", 10, 0);
    const Life next = catch_up();
    EXPECT_EQ(next.exit.reason, ExitReason::caught_up)
        << "accepted once, it is the log: " << next.exit.detail;
    EXPECT_EQ(balance(), balanced);
  }
};

TEST_F(AnotherLog, ATopicRecreatedWithFewerRecords) {
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  recreate_topic();
  send("m", 10, 0);  // copies
  send("n", 20, 0);
  expect_refused_until_accepted(20);
}

TEST_F(AnotherLog, ATopicRecreatedWithMoreRecords) {
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  recreate_topic();
  send("m", 10, 0);  // copies
  send("n", 90, 0);
  expect_refused_until_accepted(90);
}

TEST_F(AnotherLog, ATopicRecreatedWithAsManyRecords) {
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  recreate_topic();
  send("n", 50, 0);
  expect_refused_until_accepted(50);
}

TEST_F(AnotherLog, TheOtherPartitionsAreStillRead) {
  make_topic(2);
  send("zero", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());  // has read nothing of partition 1
  recreate_topic(2);
  client().produce(topic, messages("again", 10, 0));
  send("one", 50, 1);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(life.exit, topic + "[0]")) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

TEST_F(AnotherLog, AnotherCluster) {
  IDEM_NEEDS("kafka", kafka_missing());
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  KafkaBroker elsewhere;
  elsewhere.create_topic(topic, 1);
  KafkaClient there(elsewhere.bootstrap());
  there.produce(topic, messages("m", 60, 0));  // longer than the log that is known, and with copies in it
  for (auto& id : ids_of(messages("m", 60))) sent.push_back(id);
  const KafkaOptions reads = reading({{"bootstrap.servers", elsewhere.bootstrap()}});
  const Life refused = catch_up(reads);
  EXPECT_EQ(refused.exit.reason, ExitReason::refused);
  EXPECT_TRUE(says(refused.exit, "cluster")) << refused.exit.detail;
  EXPECT_TRUE(says(refused.exit, "accept.recreated_topic")) << refused.exit.detail;
  EXPECT_EQ(refused.calls, 0);
  const Life accepted = catch_up(reads, accepting({.recreated_topic = true}));
  EXPECT_EQ(accepted.exit.reason, ExitReason::caught_up) << accepted.exit.detail;
  EXPECT_EQ(accepted.calls, 10);
  EXPECT_EQ(balance(), balanced);
}

TEST_F(AnotherLog, RecordsDeletedByTheBrokerAreSkippedAndSaid) {
  make_topic();
  send("m", 50, 0);
  ASSERT_TRUE(catch_up().exit.ok());
  client().produce(topic, messages("gone", 30, 0));
  broker().admin().delete_records({topic, 0}, 80);
  send("n", 20, 0);
  const Life life = catch_up();
  EXPECT_EQ(life.exit.reason, ExitReason::caught_up) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(committed(), log_ends());
}

}  // namespace
}  // namespace idem::test
