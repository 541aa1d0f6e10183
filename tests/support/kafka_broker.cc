#include "kafka_broker.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
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

std::string at_port(int port) { return "127.0.0.1:" + std::to_string(port); }

// Small where a single test machine is small; quick where a cluster would rather wait.
KafkaConfig server_properties(const std::string& directory, int node, int port, int controller_port,
                              const std::string& replicas) {
  return {{"process.roles", "broker,controller"},
          {"node.id", std::to_string(node)},
          {"listeners", "PLAINTEXT://" + at_port(port) + ",CONTROLLER://" + at_port(controller_port)},
          {"controller.listener.names", "CONTROLLER"},
          {"log.dirs", directory},
          {"auto.create.topics.enable", "false"},
          {"offsets.topic.replication.factor", replicas},
          {"offsets.topic.num.partitions", "4"},
          {"transaction.state.log.replication.factor", replicas},
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

std::filesystem::path KafkaBroker::file(int node, const std::string& name) const {
  return *scratch_ / (name + "-" + std::to_string(node));
}

void KafkaBroker::prepare() {
  processes_.clear();
  scratch_.emplace("kafka");
  std::set<int> chosen;
  const auto another_port = [&] {
    int port = free_port();
    while (!chosen.insert(port).second) port = free_port();
    return port;
  };
  std::vector<int> ports, controllers;
  std::string voters;
  bootstrap_.clear();
  for (int node = 1; node <= options_.nodes; ++node) {
    ports.push_back(another_port());
    controllers.push_back(another_port());
    bootstrap_ += (node == 1 ? "" : ",") + at_port(ports.back());
    voters += (node == 1 ? "" : ",") + std::to_string(node) + "@" + at_port(controllers.back());
  }

  const std::string cluster_id = random_cluster_id();
  for (int node = 1; node <= options_.nodes; ++node) {
    const auto at = static_cast<std::size_t>(node - 1);
    KafkaConfig properties = server_properties(file(node, "data"), node, ports[at], controllers[at],
                                               std::to_string(options_.nodes));
    // One node may be formatted as the whole quorum; several must know each other beforehand.
    if (options_.nodes == 1)
      properties["controller.quorum.bootstrap.servers"] = at_port(controllers[at]);
    else
      properties["controller.quorum.voters"] = voters;
    format(node, std::move(properties), cluster_id);
  }
}

void KafkaBroker::format(int node, KafkaConfig properties, const std::string& cluster_id) {
  for (const auto& [name, value] : options_.properties) properties[name] = value;
  std::ofstream out(file(node, "server.properties"));
  for (const auto& [name, value] : properties) out << name << '=' << value << '\n';
  out.close();

  auto command = with(java(options_), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
                      file(node, "server.properties").string());
  if (options_.nodes == 1) command.push_back("--standalone");
  Finished formatted = run(command);
  if (!formatted.status.ok()) throw std::runtime_error("Kafka's format failed: " + formatted.output);
}

bool KafkaBroker::start() {
  const auto deadline = Clock::now() + options_.start_timeout;
  processes_.clear();
  for (int node = 1; node <= options_.nodes; ++node) {
    const auto log = file(node, "broker.log");
    processes_.emplace_back(with(java(options_), "kafka.Kafka", file(node, "server.properties").string()),
                            ProcessOptions{.output = log, .errors = log});
  }
  admin_ = std::make_unique<KafkaAdmin>(bootstrap_);
  for (;;) {
    try {
      admin_->wait_until_ready(std::chrono::milliseconds(100), options_.nodes);
      return true;
    } catch (const std::runtime_error& error) {
      const auto ended = std::find_if(processes_.begin(), processes_.end(), [](Process& p) { return !p.running(); });
      if (ended == processes_.end() && Clock::now() < deadline) continue;
      const auto node = ended == processes_.end() ? 1 : static_cast<int>(ended - processes_.begin()) + 1;
      const auto log = file(node, "broker.log");
      if (ended != processes_.end() && contents(log).find("Address already in use") != std::string::npos) return false;
      throw std::runtime_error(std::string("Kafka did not start: ") + error.what() + "\n" + tail(log, 30));
    }
  }
}

void KafkaBroker::require_owned() {
  if (shared_ || processes_.empty()) throw std::logic_error("this broker is shared: other tests need it alive");
}

void KafkaBroker::kill() {
  require_owned();
  for (Process& process : processes_) process.kill();
}

void KafkaBroker::stop() {
  require_owned();
  for (Process& process : processes_) process.terminate();
  for (Process& process : processes_)
    if (!process.wait_for(std::chrono::seconds(30))) process.kill();
}

void KafkaBroker::pause() {
  require_owned();
  for (Process& process : processes_) process.pause();
}

void KafkaBroker::resume() {
  require_owned();
  for (Process& process : processes_) process.resume();
}

void KafkaBroker::restart() {
  kill();
  if (!start()) throw std::runtime_error("Kafka's port was taken while it was down");
}

void KafkaBroker::create_topic(const std::string& name, int partitions, const KafkaConfig& config, int replicas) {
  admin_->create_topic(name, partitions, config, replicas);
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
