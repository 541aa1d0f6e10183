#include "kafka_broker.h"

#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>
#include <thread>

#include "free_port.h"

namespace idem::test {
namespace {

using Clock = std::chrono::steady_clock;

// A cluster id of its own for every broker, so that a consumer can tell one from another: 16 random bytes in
// base64, whose last digit holds only two bits. Letters and digits only, as Kafka's tools take a leading '-'
// for an option.
std::string random_cluster_id() {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> any(0, sizeof digits - 2);
  std::string id;
  for (int i = 0; i < 21; ++i) id += digits[any(random)];
  return id + 'A';
}

// Small where a single test machine is small; quick where a cluster would rather wait.
KafkaConfig server_properties(const std::string& directory, int port, int controller_port) {
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const std::string controller = "127.0.0.1:" + std::to_string(controller_port);
  return {{"process.roles", "broker,controller"},
          {"node.id", "1"},
          {"controller.quorum.bootstrap.servers", controller},
          {"listeners", "PLAINTEXT://" + address + ",CONTROLLER://" + controller},
          {"controller.listener.names", "CONTROLLER"},
          {"log.dirs", directory + "/data"},
          {"auto.create.topics.enable", "false"},
          {"offsets.topic.replication.factor", "1"},
          {"offsets.topic.num.partitions", "4"},
          {"transaction.state.log.replication.factor", "1"},
          {"transaction.state.log.min.isr", "1"},
          {"transaction.state.log.num.partitions", "4"},
          {"group.initial.rebalance.delay.ms", "0"},
          {"group.min.session.timeout.ms", "1000"},
          // After a kill the controller lets the broker back in only when its old session has ended.
          {"broker.session.timeout.ms", "2000"},
          {"broker.heartbeat.interval.ms", "400"},
          {"log.cleaner.dedupe.buffer.size", "8388608"},
          {"num.network.threads", "2"},
          {"num.io.threads", "4"}};
}

std::vector<std::string> java(const KafkaBrokerOptions& options) {
  std::vector<std::string> command = {"java",
                                      "-Xmx" + std::to_string(options.heap_mb) + "m",
                                      "-XX:+UseSerialGC",
                                      "-Dorg.slf4j.simpleLogger.showDateTime=true",
                                      "-cp",
                                      (kafka_libs() / "*").string()};
  if (!options.full_speed) command.insert(command.begin() + 1, "-XX:TieredStopAtLevel=1");
  return command;
}

template <typename... Words>
std::vector<std::string> with(std::vector<std::string> command, Words... words) {
  (command.push_back(words), ...);
  return command;
}

// The broker that somebody else has started for all tests; "" if nobody has.
std::string running_elsewhere() {
  const char* bootstrap = std::getenv("IDEM_KAFKA_BOOTSTRAP");
  return bootstrap ? bootstrap : "";
}

}  // namespace

std::optional<std::string> KafkaBroker::unavailable() {
  return running_elsewhere().empty() ? kafka_missing() : std::nullopt;
}

KafkaBroker& KafkaBroker::shared() {
  // Destroyed at exit, which ends a broker that was started here.
  static const std::unique_ptr<KafkaBroker> broker = [] {
    const std::string running = running_elsewhere();
    std::unique_ptr<KafkaBroker> result(running.empty() ? new KafkaBroker() : new KafkaBroker(AttachTo{running}));
    result->shared_ = true;
    return result;
  }();
  return *broker;
}

KafkaBroker::KafkaBroker(const AttachTo& other)
    : bootstrap_(other.bootstrap), admin_(std::make_unique<KafkaAdmin>(bootstrap_)) {
  admin_->wait_until_ready(options_.start_timeout);
}

KafkaBroker::KafkaBroker(Options options) : options_(std::move(options)) {
  if (auto reason = kafka_missing()) throw std::runtime_error(*reason);
  // Between choosing a port and listening on it another process may be quicker.
  for (int attempt = 0; attempt < 5; ++attempt) {
    prepare();
    if (start()) return;
  }
  throw std::runtime_error("Kafka found its ports taken, five times over");
}

KafkaBroker::~KafkaBroker() = default;

void KafkaBroker::prepare() {
  scratch_.emplace("kafka");
  const int port = free_port();
  int controller_port = free_port();
  while (controller_port == port) controller_port = free_port();
  bootstrap_ = "127.0.0.1:" + std::to_string(port);

  KafkaConfig properties = server_properties(scratch_->path(), port, controller_port);
  for (const auto& [name, value] : options_.properties) properties[name] = value;
  const auto file = *scratch_ / "server.properties";
  std::ofstream out(file);
  for (const auto& [name, value] : properties) out << name << '=' << value << '\n';
  out.close();

  Finished format = run(with(java(options_), "kafka.tools.StorageTool", "format", "--standalone", "-t",
                             random_cluster_id(), "-c", file.string()));
  if (!format.status.ok()) throw std::runtime_error("Kafka's format failed: " + format.output);
}

bool KafkaBroker::start() {
  const auto log = *scratch_ / "broker.log";
  const auto deadline = Clock::now() + options_.start_timeout;
  process_.emplace(with(java(options_), "kafka.Kafka", (*scratch_ / "server.properties").string()),
                   ProcessOptions{.output = log, .errors = log});
  admin_ = std::make_unique<KafkaAdmin>(bootstrap_);
  for (;;) {
    try {
      admin_->wait_until_ready(std::chrono::milliseconds(100));
      return true;
    } catch (const std::runtime_error& error) {
      const bool alive = process_->running();
      if (alive && Clock::now() < deadline) continue;
      const std::string end = tail(log, 30);
      if (!alive && contents(log).find("Address already in use") != std::string::npos) return false;
      throw std::runtime_error(std::string("Kafka did not start: ") + error.what() + "\n" + end);
    }
  }
}

Process& KafkaBroker::own_process() {
  if (shared_ || !process_) throw std::logic_error("this broker is shared: other tests need it alive");
  return *process_;
}

void KafkaBroker::kill() { own_process().kill(); }

void KafkaBroker::stop() {
  Process& process = own_process();
  process.terminate();
  if (!process.wait_for(std::chrono::seconds(30))) process.kill();
}

void KafkaBroker::pause() { own_process().pause(); }
void KafkaBroker::resume() { own_process().resume(); }

void KafkaBroker::restart() {
  own_process().kill();
  if (!start()) throw std::runtime_error("Kafka's port was taken while it was down");
}

void KafkaBroker::create_topic(const std::string& name, int partitions, const KafkaConfig& config) {
  admin_->create_topic(name, partitions, config);
}

void KafkaBroker::delete_topic(const std::string& name) { admin_->delete_topic(name); }

GroupDescription KafkaBroker::describe_group(const std::string& group) {
  return admin_->describe_group(group);
}

std::map<TopicPartition, std::int64_t> KafkaBroker::committed(const std::string& group) const {
  return tools().committed(group);
}

void KafkaBroker::reset_offsets(const std::string& group, const std::string& topic,
                                const std::vector<std::string>& target) {
  tools().reset_offsets(group, topic, target);
}

}  // namespace idem::test
