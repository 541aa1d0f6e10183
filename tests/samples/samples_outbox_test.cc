// The two samples of the outbox, one behind the other: Kafka, a booking, RabbitMQ, a receipt, Kafka.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "samples/ledger.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/process.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/require.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

TEST(SamplesOfTheOutbox, EveryPaymentIsBookedAndFiledOnceThoughBothAreKilled) {
  IDEM_NEEDS("kafka", kafka_missing());
  IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
  KafkaBroker kafka;  // of its own, both: the samples' names are fixed
  RabbitBroker rabbit;
  kafka.create_topic("payments", 4);
  kafka.create_topic("receipts-filed", 2);
  Scratch scratch("samples");
  const std::filesystem::path ledger = scratch / "ledger.db", archive = scratch / "archive.db", log = scratch / "log";
  const auto book = [&] {
    return Process({sample("kafka_to_rabbitmq"), kafka.bootstrap(), rabbit.uri(), ledger}, {.output = log, .errors = log});
  };
  const auto file = [&] {
    return Process({sample("rabbitmq_to_kafka"), rabbit.uri(), kafka.bootstrap(), archive}, {.output = log, .errors = log});
  };
  const auto count = [&](const std::filesystem::path& database, const std::string& table) -> std::size_t {
    const auto found = rows(database, "SELECT count(*) FROM " + table);
    return found.empty() ? 0 : std::stoul(found[0]);
  };
  const auto wait_for = [&](const auto& holds) {
    for (int i = 0; i < 6'000 && !holds(); ++i) std::this_thread::sleep_for(10ms);
    return holds();
  };

  KafkaClient producer(kafka.bootstrap());
  constexpr std::size_t payments = 400;
  std::vector<Record> records;
  for (std::size_t i = 0; i < payments; ++i) {
    const std::string account = std::to_string(i % 7);
    records.push_back({.key = account, .payload = account + " 1", .headers = {{"payment-id", std::to_string(i)}}});
  }
  records.push_back({.key = "1", .payload = "nonsense", .headers = {{"payment-id", "bad"}}});

  Process booking = book(), filing = file();
  producer.produce("payments", records);
  ASSERT_TRUE(wait_for([&] { return count(ledger, "booking") > 0; })) << contents(log);
  booking.kill();
  booking = book();
  ASSERT_TRUE(wait_for([&] { return count(archive, "receipt") > 0; })) << contents(log);
  filing.kill();
  filing = file();
  ASSERT_TRUE(wait_for([&] { return count(archive, "receipt") >= payments; })) << contents(log);
  ASSERT_TRUE(wait_for([&] { return producer.read_all("receipts-filed").size() >= payments; })) << contents(log);

  for (Process* process : {&booking, &filing}) {
    process->terminate();
    EXPECT_EQ(process->wait().to_string(), "exit code 0") << contents(log);
  }
  EXPECT_EQ(count(ledger, "booking"), payments);
  EXPECT_EQ(count(archive, "receipt"), payments) << "copies were dropped";
  std::set<std::string> filed;
  for (const StoredRecord& record : producer.read_all("receipts-filed")) filed.insert(*record.payload);
  EXPECT_EQ(filed.size(), payments);
  EXPECT_EQ(RabbitClient(rabbit.uri()).ready("not-payments"), 1) << "the dead letter";
}

}  // namespace
}  // namespace idem::test
