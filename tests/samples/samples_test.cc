// Each sample, run as a reader would, against the in-process Kafka broker.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "samples/ledger.h"
#include "support/kafka_client.h"
#include "support/mock_kafka.h"
#include "support/process.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

Record payment(const std::string& id, const std::string& account, const std::string& cents) {
  return {.key = account, .payload = account + " " + cents, .headers = {{"payment-id", id}}};
}

class SampleConsumer : public testing::Test {
 protected:
  void SetUp() override { kafka.create_topic("payments", 4); }

  Process start(const std::string& name) {
    return Process({sample(name), kafka.bootstrap(), database}, {.output = log, .errors = log});
  }

  MockKafka kafka;
  Scratch scratch{"samples"};
  const std::filesystem::path database = scratch / "ledger.db", log = scratch / "log";
};

TEST_F(SampleConsumer, PaymentsBooksEachOnceAndParksWhatIsNoPayment) {
  KafkaClient producer(kafka.bootstrap());
  Process consumer = start("payments");
  producer.produce("payments", {payment("a", "1", "100"),
                                payment("b", "2", "250"),
                                payment("a", "1", "100"),
                                {.key = "1", .payload = "nonsense", .headers = {{"payment-id", "c"}}},
                                {.key = "1", .payload = "1 5"},  // without an id
                                payment("d", "1", "-30")});
  EXPECT_TRUE(wait_for_bookings(database, 3, 30s)) << contents(log);

  consumer.kill();
  consumer = start("payments");
  producer.produce("payments", {payment("b", "2", "250"), payment("e", "2", "1")});
  EXPECT_TRUE(wait_for_bookings(database, 4, 30s)) << contents(log);

  consumer.terminate();
  EXPECT_EQ(consumer.wait().to_string(), "exit code 0") << contents(log);
  EXPECT_EQ(bookings(database), (Strings{"a 1 100", "b 2 250", "d 1 -30", "e 2 1"}));
  EXPECT_EQ(rows(database, "SELECT id, cents FROM account ORDER BY id"), (Strings{"1 70", "2 251"}));
  const std::string words = contents(log);
  EXPECT_NE(words.find("reason=dead_letter"), std::string::npos) << words;
  EXPECT_NE(words.find("reason=no_id"), std::string::npos) << words;
}

TEST_F(SampleConsumer, PaymentsSaysWhatIsWrongAtStart) {
  Finished without_arguments = run({sample("payments")});
  EXPECT_EQ(without_arguments.status.code, 2);
  EXPECT_NE(without_arguments.output.find("usage: payments"), std::string::npos);

  Finished without_directory = run({sample("payments"), kafka.bootstrap(), scratch / "no" / "ledger.db"});
  EXPECT_EQ(without_directory.status.code, 1);
  EXPECT_NE(without_directory.output.find("payments: "), std::string::npos) << without_directory.output;
}

TEST_F(SampleConsumer, RawLoopWorksUntilItIsKilled) {
  KafkaClient producer(kafka.bootstrap());
  Process consumer = start("raw_loop");
  producer.produce("payments", {payment("a", "1", "100"),
                                payment("b", "2", "250"),
                                payment("a", "1", "100"),
                                {.key = "1", .payload = "nonsense", .headers = {{"payment-id", "c"}}},
                                {.key = "1", .payload = "1 5"}});
  EXPECT_TRUE(wait_for_bookings(database, 3, 30s)) << contents(log);
  consumer.terminate();
  EXPECT_EQ(consumer.wait().to_string(), "exit code 0") << contents(log);

  consumer = start("raw_loop");  // goes on where it was
  producer.produce("payments", {payment("d", "2", "1")});
  EXPECT_TRUE(wait_for_bookings(database, 4, 30s)) << contents(log);
  consumer.terminate();
  EXPECT_EQ(consumer.wait().to_string(), "exit code 0") << contents(log);
  EXPECT_EQ(bookings(database), (Strings{"a 1 100", "a 1 100", "b 2 250", "d 2 1"}));
  EXPECT_EQ(rows(database, "SELECT id, cents FROM account ORDER BY id"), (Strings{"1 200", "2 251"}));
}

TEST(PublishSample, SaysOfEachLineThatKafkaHasIt) {
  MockKafka kafka;
  kafka.create_topic("orders", 2);
  Finished sent = run({"/bin/sh", "-c", "printf 'a 1\\nb 2\\n' | " + sample("publish") + " kafka " + kafka.bootstrap() +
                                            " orders"});
  EXPECT_TRUE(sent.status.ok()) << sent.output;
  std::vector<std::string> expected, found;
  std::istringstream said(sent.output);
  for (std::string id, known; said >> id >> known;) expected.push_back(id + " " + known);
  for (const StoredRecord& record : KafkaClient(kafka.bootstrap()).read_all("orders"))
    found.push_back(*record.headers.at(0).second + " stored");
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(expected.size(), 2u);
  EXPECT_EQ(found, expected);
}

// The quick start's experiment, shorter. Its last line and exit code are what scripts look at.
TEST(Quickstart, ShowsWhatTheRawLoopDoesAndWhatIdemDoes) {
  Scratch scratch("quickstart");
  Finished demo = run({sample("quickstart_demo"), scratch.path(), "4000", "5", "4"}, {}, 110s);
  EXPECT_TRUE(demo.status.ok()) << demo.output;

  const std::string last_line = "idem: sent 4000 distinct 3600 effects 3600 lost 0 doubled 0 kills 5\n";
  EXPECT_TRUE(demo.output.ends_with("\n" + last_line)) << demo.output;
  EXPECT_NE(demo.output.find("samples/payments.cc"), std::string::npos);

  // Killed in the middle of the stream, not before it had begun.
  EXPECT_TRUE(std::regex_search(demo.output,
                                std::regex("idem +kill -9 number  5 of 5, with .* and +[1-9][0-9,]* booked")))
      << demo.output;

  // The raw loop is treated alike, and the table says what became of it.
  std::smatch raw;
  ASSERT_TRUE(std::regex_search(demo.output, raw,
                                std::regex("raw loop +4,000 +3,600 +([0-9,]+) +([0-9,]+) +([0-9,]+) +5\n")))
      << demo.output;
  EXPECT_TRUE(raw[2] != "0" || raw[3] != "0") << demo.output;
}

TEST(Quickstart, FailsWhenItsConsumerDoes) {
  // A copy of the programs in which the consumer on idem is one that cannot run.
  Scratch scratch("quickstart");
  for (const char* program : {"quickstart_demo", "quickstart_broker", "quickstart_sender", "raw_loop"})
    std::filesystem::copy(sample(program), scratch / program);
  std::filesystem::copy("/bin/false", scratch / "payments");
  std::filesystem::create_directory(scratch / "out");
  Finished demo = run({scratch / "quickstart_demo", scratch / "out", "100", "1", "1"});
  EXPECT_EQ(demo.status.code, 1);
  EXPECT_NE(demo.output.find("payments ended with exit code 1"), std::string::npos) << demo.output;
}

TEST(Quickstart, FailsWhenItsConsumerDoublesPayments) {
  Scratch scratch("quickstart");
  for (const char* program : {"quickstart_demo", "quickstart_broker", "quickstart_sender", "raw_loop"})
    std::filesystem::copy(sample(program), scratch / program);
  std::filesystem::copy(sample("raw_loop"), scratch / "payments");
  std::filesystem::create_directory(scratch / "out");
  Finished demo = run({scratch / "quickstart_demo", scratch / "out", "100", "0", "1"});
  EXPECT_EQ(demo.status.code, 1);
  EXPECT_TRUE(demo.output.ends_with("\nidem: sent 100 distinct 90 effects 100 lost 0 doubled 10 kills 0\n"))
      << demo.output;
}

// A sample is read at one sitting.
TEST(Samples, HaveThirtyToEightyLines) {
  for (const char* name : {"payments.cc", "raw_loop.cc", "webhook.cc", "publish.cc", "pitfalls/automatic_ack.cc",
                           "pitfalls/after_commit.cc", "pitfalls/transient.cc", "pitfalls/fire_and_forget.cc",
                           "pitfalls/published.cc"}) {
    std::ifstream file(std::string(IDEM_SAMPLES_SOURCE) + "/" + name);
    const auto lines = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
    EXPECT_GE(lines, 30) << name;
    EXPECT_LE(lines, 80) << name;
  }
}

}  // namespace
}  // namespace idem::test
