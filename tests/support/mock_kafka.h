// librdkafka's in-process Kafka broker, for tests of the protocol and for faults that a real broker does not
// produce on demand. Other processes may connect to it too; it ends with the object.
//
// What it cannot do (librdkafka 2.0.2): transactions, static membership, topic creation by clients, reading
// configurations. It keeps 5 MiB a partition and silently drops what is older. A group's first join takes
// three seconds, a later one session.timeout.ms less a second, and a session timeout of three seconds or less
// never joins. So whatever matters is tested on a real broker as well (kafka_broker.h).
//
// Any thread may call anything at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "rdkafka_handles.h"

struct rd_kafka_mock_cluster_s;

namespace idem::test {

// The numbers of Kafka's requests (its protocol's "API keys") that tests make fail.
enum class KafkaRequest : std::int16_t {
  produce = 0,
  fetch = 1,
  list_offsets = 2,
  metadata = 3,
  offset_commit = 8,
  offset_fetch = 9,
  find_coordinator = 10,
  join_group = 11,
  heartbeat = 12,
  leave_group = 13,
  sync_group = 14,
};

class MockKafka {
 public:
  explicit MockKafka(int brokers = 1);
  ~MockKafka();

  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

  const std::string& bootstrap() const { return bootstrap_; }

  void create_topic(const std::string& name, int partitions, int replicas = 1);

  // The next requests of this kind are answered with these errors (rd_kafka_resp_err_t), one each.
  void fail_next(KafkaRequest request, const std::vector<int>& errors);

  // Every request to this topic is answered with the error, until it is set to 0.
  void set_topic_error(const std::string& topic, int error);

  // Closes the broker's connections and refuses new ones, or accepts them again. Brokers count from 1.
  void set_broker_up(int broker, bool up);

  // Delays every answer of the broker.
  void set_latency(int broker, std::chrono::milliseconds latency);

 private:
  struct DestroyCluster {
    void operator()(rd_kafka_mock_cluster_s* cluster) const;
  };

  RdKafka<rd_kafka_s> host_;  // the client in whose threads the cluster runs
  std::unique_ptr<rd_kafka_mock_cluster_s, DestroyCluster> cluster_;
  std::string bootstrap_;
};

}  // namespace idem::test
