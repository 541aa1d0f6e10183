// The fixture of the tests on a real Kafka: a topic, a group and a store's file of their own for each test.
#pragma once

#include <idem/kafka.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kit.h"
#include "support/kafka_broker.h"
#include "support/kafka_client.h"
#include "support/require.h"
#include "support/scratch.h"

namespace idem::test {

/// `count` messages with ids <prefix>0, <prefix>1, …, spread over the partitions by their keys or all in one.
std::vector<Record> messages(const std::string& prefix, int count,
                             std::optional<std::int32_t> partition = {});
std::vector<std::string> ids_of(const std::vector<Record>& records);

class OnKafka : public testing::Test {
 protected:
  void SetUp() override;

  /// The broker of this test; a test that harms it replaces it by its own.
  virtual KafkaBroker& broker() { return KafkaBroker::shared(); }
  KafkaClient client() { return KafkaClient(broker().bootstrap()); }

  void make_topic(int partitions = 1) { broker().create_topic(topic, partitions); }
  /// Sends, and adds the ids to `sent`.
  void send(const std::vector<Record>& records);
  void send(const std::string& prefix, int count, std::optional<std::int32_t> partition = {}) {
    send(messages(prefix, count, partition));
  }

  /// Reading `topic` in `group`, with a session short enough for a test.
  KafkaOptions reading(std::map<std::string, std::string> properties = {});
  KafkaOptions reading_fixed(std::vector<std::int32_t> partitions = {});

  /// One run from opening the store to closing it, until all that is in the log is done.
  Life catch_up(const KafkaOptions& source, const RuntimeOptions& options = quick(),
                Recorder::Before before = {});
  Life catch_up() { return catch_up(reading()); }

  std::vector<Effect> effects() const { return effects_in(file); }
  /// `sent` against the effects in the store's file.
  Account balance() const { return account(sent, effects()); }

  /// The group's committed offsets by partition of `topic`, and the log's ends.
  std::map<std::int32_t, std::int64_t> committed();
  std::map<std::int32_t, std::int64_t> log_ends();

  Scratch scratch{"e2e"};
  std::filesystem::path file = scratch / "ledger.db";
  std::string topic = unique_name("e2e"), group = unique_name("e2e-group");
  std::vector<std::string> sent;
};

}  // namespace idem::test
