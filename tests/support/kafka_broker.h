// A real Apache Kafka (KRaft, one node unless asked for more) for tests, in a scratch directory of its own on free
// loopback ports.
//
//   IDEM_NEEDS("kafka", KafkaBroker::unavailable());  // require.h
//   KafkaBroker& broker = KafkaBroker::shared();
//   std::string topic = unique_name("orders");
//   broker.create_topic(topic, 4);
//
// shared() is the one to use where the test does not harm the broker: it is started once, by tests/run for
// all test programs or else by the first use in this one. A test that kills or restarts a broker constructs
// its own, which takes about three seconds. Topics are not created by use.
//
// The broker dies with the object, and by the kernel's hand with this process. One thread kills and restarts;
// everything else may be called from any thread. All calls throw std::runtime_error when they fail; a broker
// that does not start throws with the end of its log.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka_admin.h"
#include "kafka_tools.h"
#include "process.h"
#include "scratch.h"
#include "unique_name.h"

namespace idem::test {

struct KafkaBrokerOptions {
  // Added to server.properties, or replacing what is there.
  KafkaConfig properties = {};

  int heap_mb = 512;

  // Three make a cluster: each is broker and controller, and the internal topics have a replica on each. What is done
  // to the broker (kill() …) is done to all of them.
  int nodes = 1;

  // Lets the JVM compile fully. Starts slower by a second and then serves more; for benchmarks.
  bool full_speed = false;

  std::chrono::seconds start_timeout{60};
};

class KafkaBroker {
 public:
  using Options = KafkaBrokerOptions;

  // Why there is no shared broker here; nullopt when there is one, or one can be started. A test that starts a
  // broker of its own or uses Kafka's tools asks kafka_missing(): the shared broker may run where no jars are.
  static std::optional<std::string> unavailable();

  // The broker shared by all tests: the one at $IDEM_KAFKA_BOOTSTRAP, or one per process.
  static KafkaBroker& shared();

  // Returns when the broker answers.
  explicit KafkaBroker(Options options = {});
  ~KafkaBroker();

  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  const std::string& bootstrap() const { return bootstrap_; }

  void kill();     // SIGKILL
  void stop();     // SIGTERM: a controlled shutdown
  void pause();    // SIGSTOP: connections stay, nothing answers
  void resume();   // SIGCONT
  void restart();  // after kill() or stop(), else kills first: same data, same ports; returns when it answers

  // See kafka_admin.h.
  KafkaAdmin& admin() { return *admin_; }
  void create_topic(const std::string& name, int partitions, const KafkaConfig& config = {}, int replicas = 1);
  void delete_topic(const std::string& name);
  GroupDescription describe_group(const std::string& group);

  // By Kafka's own tool, see kafka_tools.h.
  KafkaTools tools() const { return KafkaTools(bootstrap_); }
  std::map<TopicPartition, std::int64_t> committed(const std::string& group) const;
  void reset_offsets(const std::string& group, const std::string& topic,
                     const std::vector<std::string>& target);

 private:
  struct AttachTo {
    std::string bootstrap;
  };
  explicit KafkaBroker(const AttachTo& other);

  void prepare();        // chooses ports, formats each node
  void format(int node, KafkaConfig properties, const std::string& cluster_id);  // writes its server.properties too
  bool start();          // false when the chosen ports turned out to be taken
  void require_owned();  // throws for the shared broker
  std::filesystem::path file(int node, const std::string& name) const;

  Options options_;
  bool shared_ = false;
  std::optional<Scratch> scratch_;  // none when attached to a broker that somebody else started
  std::vector<Process> processes_;
  std::string bootstrap_;
  std::unique_ptr<KafkaAdmin> admin_;
};

}  // namespace idem::test
