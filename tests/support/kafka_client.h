// A producer and reader for tests on bare librdkafka: it shares no code with idem's Kafka source, so that
// what it sees is evidence.
//
// Every call makes the connection it needs, waits until the broker has answered, and throws
// std::runtime_error with librdkafka's words otherwise. Any thread may use a KafkaClient at any time; a
// KafkaTransaction belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kafka_types.h"
#include "rdkafka_handles.h"
#include "unique_name.h"

namespace idem::test {

// nullopt is Kafka's null, which is not the same as an empty string.
using Bytes = std::optional<std::string>;

struct Record {
  Bytes key = {};
  Bytes payload = {};
  std::vector<std::pair<std::string, Bytes>> headers = {};
  std::optional<std::int32_t> partition = {};     // else by the key's hash, or any for a null key
  std::optional<std::int64_t> timestamp_ms = {};  // else now
};

// Where the broker put a record.
struct Position {
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  auto operator<=>(const Position&) const = default;
};

// What a reader finds; partition and timestamp_ms are always set.
struct StoredRecord : Record {
  std::int64_t offset = 0;
};

enum class Isolation { read_uncommitted, read_committed };

struct Watermarks {
  std::int64_t low = 0;   // the first record still there
  std::int64_t high = 0;  // the offset that the next record will get
};

class KafkaClient {
 public:
  // `producer_config` holds librdkafka properties for the producers, such as message.max.bytes.
  explicit KafkaClient(std::string bootstrap, KafkaConfig producer_config = {});

  // Sends the records in order and returns their positions when all are acknowledged.
  std::vector<Position> produce(const std::string& topic, const std::vector<Record>& records);

  // The same for streams too large to hold: record i is made when its turn comes.
  void produce_each(const std::string& topic, std::size_t count,
                    const std::function<Record(std::size_t)>& make);

  // All records from the first to the end of each partition; within a partition in order.
  std::vector<StoredRecord> read_all(const std::string& topic,
                                     Isolation isolation = Isolation::read_uncommitted);

  Watermarks watermarks(const TopicPartition& partition);

  // What the group has committed; partitions without a commit are left out.
  std::map<std::int32_t, CommittedOffset> committed(const std::string& group, const std::string& topic,
                                                    const std::vector<std::int32_t>& partitions);

  // Commits without being a member, as a tool would; refused while the group has members.
  void commit(const std::string& group, const TopicPartition& partition, const CommittedOffset& next);

 private:
  const std::string bootstrap_;
  const KafkaConfig producer_config_;
};

// One transaction of a transactional producer. Records are on the broker when produce() returns, yet a
// read_committed reader sees none of them before commit(), nor anything behind them while the transaction is
// open. commit() and abort() return when the marker stands in each partition, so that a reader sees how it ended
// (the broker answers before it writes the markers); nobody else may write there meanwhile. The destructor aborts
// what was not ended.
class KafkaTransaction {
 public:
  // Begins. A second transaction with the same id fences the first one off.
  explicit KafkaTransaction(const std::string& bootstrap,
                            const std::string& transactional_id = unique_name("idem-test-tx"));
  ~KafkaTransaction();

  std::vector<Position> produce(const std::string& topic, const std::vector<Record>& records);
  void commit();
  void abort();

 private:
  void end(rd_kafka_error_s* (*ask)(rd_kafka_s*, int timeout_ms), const std::string& what);

  const std::string bootstrap_;
  RdKafka<rd_kafka_s> producer_;
  std::set<TopicPartition> written_;
  bool open_ = false;
};

}  // namespace idem::test
