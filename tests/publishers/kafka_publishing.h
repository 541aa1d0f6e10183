// What the tests of KafkaPublisher share.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <idem/kafka_publisher.h>

#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"

namespace idem::test {

using namespace std::chrono_literals;
using Known = PublishResult::Known;

inline std::string id_of(const StoredRecord& record, const std::string& header = "message-id") {
  for (const auto& [name, value] : record.headers)
    if (name == header) return value.value_or("");
  return "";
}

/// A topic of its own on the shared broker.
struct KafkaPublishing {
  virtual ~KafkaPublishing() = default;
  virtual KafkaBroker& broker() { return KafkaBroker::shared(); }
  void create_topic(int partitions, const KafkaConfig& config = {}) {
    broker().create_topic(topic, partitions, config);
  }
  KafkaPublisherOptions options() {
    KafkaPublisherOptions o;
    o.properties = {{"bootstrap.servers", broker().bootstrap()},
                    {"reconnect.backoff.ms", "20"},
                    {"reconnect.backoff.max.ms", "500"}};
    return o;
  }
  std::vector<StoredRecord> found() { return KafkaClient(broker().bootstrap()).read_all(topic); }
  /// Ids are numbers, given in rising order. In each key they first appear in that order, and there are `count` of
  /// them.
  void expect_in_order(const std::set<std::string>& keys, std::size_t count) {
    std::map<std::string, int> latest;
    std::set<std::string> seen;
    std::size_t copies = 0;
    for (const StoredRecord& record : found()) {
      const std::string id = id_of(record);
      ASSERT_TRUE(keys.contains(*record.key)) << *record.key;
      if (!seen.insert(id).second) {
        ++copies;
        continue;
      }
      const int number = std::stoi(id);
      EXPECT_TRUE(!latest.contains(*record.key) || latest[*record.key] < number)
          << number << " after " << latest[*record.key];
      latest[*record.key] = number;
    }
    EXPECT_EQ(seen.size(), count);
    std::printf("stored %zu copies %zu\n", seen.size(), copies);
  }

  std::string topic = unique_name("publish");
};

}  // namespace idem::test
