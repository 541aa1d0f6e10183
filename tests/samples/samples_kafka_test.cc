// The sample as a member of a group, on a real Kafka.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "samples/ledger.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/process.h"
#include "support/require.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

// With a dynamic member the restarted process would wait for the session of the killed one to expire: 45 s by
// default.
TEST(SampleOnKafka, PaymentsHasItsPartitionsBackAtOnceAfterAKill) {
  IDEM_NEEDS("kafka", kafka_missing());
  KafkaBroker kafka;  // of its own: the sample's topic and group have fixed names
  kafka.create_topic("payments", 4);
  Scratch scratch("samples");
  const std::filesystem::path database = scratch / "ledger.db", log = scratch / "log";
  const auto start = [&] {
    return Process({sample("payments"), kafka.bootstrap(), database, "ledger-1"},
                   {.output = log, .errors = log});
  };
  KafkaClient producer(kafka.bootstrap());
  std::vector<Record> payments;
  for (int i = 0; i < 100; ++i) {
    const std::string account = std::to_string(i % 7), id = std::to_string(1'000 + i);
    payments.push_back({.key = account, .payload = account + " 1", .headers = {{"payment-id", id}}});
  }

  Process consumer = start();
  producer.produce("payments", payments);
  ASSERT_TRUE(wait_for_bookings(database, 100, 60s)) << contents(log);

  consumer.kill();
  for (auto& payment : payments) payment.headers = {{"payment-id", "later-" + *payment.headers[0].second}};
  producer.produce("payments", payments);
  consumer = start();
  EXPECT_TRUE(wait_for_bookings(database, 200, 20s)) << contents(log);

  consumer.terminate();
  EXPECT_EQ(consumer.wait().to_string(), "exit code 0") << contents(log);
  EXPECT_EQ(bookings(database).size(), 200u);
  std::int64_t committed = 0;
  for (const auto& [_, offset] : kafka.committed("ledger")) committed += offset;
  EXPECT_EQ(committed, 200);
}

}  // namespace
}  // namespace idem::test
