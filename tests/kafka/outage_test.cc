// A broker of the test's own that dies, comes back, or has bad sectors.
#include <filesystem>
#include <fstream>

#include "running_source.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

class KafkaOutage : public testing::TestWithParam<KafkaOptions::Mode> {
 protected:
  void SetUp() override { IDEM_NEEDS("kafka", kafka_missing()); }

  static std::vector<Record> records(int count) { return std::vector<Record>(count, {.payload = "x", .partition = 0}); }
};

std::string mode_name(const testing::TestParamInfo<KafkaOptions::Mode>& info) {
  return info.param == KafkaOptions::Mode::group ? "group" : "fixed";
}
INSTANTIATE_TEST_SUITE_P(Modes, KafkaOutage, testing::Values(KafkaOptions::Mode::group, KafkaOptions::Mode::fixed),
                         mode_name);

TEST_P(KafkaOutage, a_broker_that_is_killed_and_comes_back) {
  KafkaBroker broker;
  broker.create_topic("orders", 1);
  KafkaClient client(broker.bootstrap());
  client.produce("orders", records(5));
  RunningSource running(
      options_for(broker.bootstrap(), "orders", "ledger", GetParam(), {{"session.timeout.ms", "6000"}}));
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.delivered == 5; }));
  EXPECT_TRUE(running.commit(0, 3, "before").ok);

  broker.kill();
  ASSERT_TRUE(running.until([&] { return running.warned("no broker can be reached"); }));
  CommitResult unanswered = running.commit(0, 5);
  EXPECT_TRUE(!unanswered.ok && unanswered.retriable) << unanswered.error;
  broker.restart();
  client.produce("orders", records(5));

  ASSERT_TRUE(running.until([&] { return running.warned("are back") && running.recorder.partitions[0].next == 10; }));
  EXPECT_TRUE(running.recorder.fatals.empty()) << running.recorder.fatals.front();
  ASSERT_TRUE(running.until([&] { return running.held() == 1 && running.commit(0, 10, "after").ok; }));
  running.stop();
  EXPECT_EQ((client.committed("ledger", "orders", {0})[0]), (CommittedOffset{10, "after"}));
}

/// Turns a byte of these in the log of a partition, as a bad sector might.
void damage(const std::filesystem::path& directory, const std::string& bytes) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::string whole = contents(entry.path());
    auto at = whole.find(bytes);
    if (entry.path().extension() != ".log" || at == std::string::npos) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes.front() ^ 1));
    return;
  }
  FAIL() << "no log in " << directory << " holds " << bytes;
}

TEST_P(KafkaOutage, a_record_that_cannot_be_read_is_not_left_out) {
  Scratch scratch("damage");
  KafkaBroker broker({.properties = {{"log.dirs", scratch / "data"}}});
  broker.create_topic("orders", 1);
  KafkaClient client(broker.bootstrap());
  client.produce("orders", {{.payload = "good", .partition = 0}});
  client.produce("orders", {{.payload = "to-be-damaged", .partition = 0}});
  client.produce("orders", {{.payload = "good", .partition = 0}});
  broker.stop();
  damage(scratch / "data" / "orders-0", "to-be-damaged");
  broker.restart();
  RunningSource running(options_for(broker.bootstrap(), "orders", "ledger", GetParam()));
  running.start();
  ASSERT_TRUE(running.until([&] { return !running.recorder.fatals.empty(); }));
  EXPECT_TRUE(running.said_fatal("orders[0]")) << running.recorder.fatals.front();
  EXPECT_TRUE(running.said_fatal("left out")) << running.recorder.fatals.front();
  EXPECT_LE(running.recorder.delivered, 1u) << "what lies behind the damage was delivered";
}

}  // namespace
}  // namespace idem::test
