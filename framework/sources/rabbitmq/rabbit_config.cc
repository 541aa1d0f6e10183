#include "sources/rabbitmq/rabbit_config.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace idem::rabbit {
namespace {

constexpr std::size_t longest_name = 255;  // of a short string in AMQP
constexpr std::size_t largest_prefetch = 65'535;

void check(bool good, const std::string& member, const std::string& what) {
  if (!good) throw std::invalid_argument("RabbitMQ source: RabbitOptions::" + member + " " + what);
}

void check_name(const std::string& name, const std::string& member) {
  check(!name.empty(), member, "is empty");
  check(name.size() <= longest_name, member, "is longer than 255 bytes, which AMQP does not allow");
}

void check_tls(const RabbitOptions& options, const Uri& uri) {
  const RabbitTls& tls = options.tls;
  check(tls.certificate_file.empty() == tls.key_file.empty(), "tls",
        "needs certificate_file and key_file together, or neither");
  const bool any = !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.verify;
  check(uri.tls || !any, "tls", "is set, but the URI begins with amqp://: write amqps://");
  check(!uri.tls || !tls.verify || !tls.ca_file.empty(), "tls.ca_file",
        "is empty: name the file with the certificate authority that signed the server's certificate");
}

void check_topology(const RabbitTopology& topology) {
  for (const RabbitExchange& exchange : topology.exchanges) check_name(exchange.name, "topology.exchanges: a name");
  for (const RabbitQueue& queue : topology.queues) {
    check_name(queue.name, "topology.queues: a name");
    check(queue.durable || queue.type != RabbitQueue::Type::quorum, "topology.queues: \"" + queue.name + "\"",
          "is a quorum queue, which is always durable");
    for (const char* own : {"x-queue-type", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-message-ttl",
                            "x-max-length", "x-overflow"})
      check(!queue.arguments.contains(own), "topology.queues: \"" + queue.name + "\"",
            std::string("has the argument ") + own + ", which is a member of RabbitQueue: use that");
  }
  for (const RabbitBinding& binding : topology.bindings) {
    check_name(binding.queue, "topology.bindings: a queue");
    check_name(binding.exchange, "topology.bindings: an exchange");
  }
}

std::chrono::milliseconds consumer_timeout(const RabbitOptions& options) {
  for (const RabbitQueue& queue : options.topology.queues) {
    const auto found = queue.arguments.find("x-consumer-timeout");
    if (queue.name != options.queue || found == queue.arguments.end()) continue;
    if (const auto* value = std::get_if<std::int64_t>(&found->second)) return std::chrono::milliseconds(*value);
  }
  return options.consumer_timeout;
}

}  // namespace

std::string Configuration::password() const {
  if (!options.password_env.empty()) {
    const char* value = std::getenv(options.password_env.c_str());
    if (!value)
      throw std::runtime_error("RabbitMQ source: RabbitOptions::password_env names " + options.password_env +
                               ", which is not set in the environment");
    return value;
  }
  if (options.password_file.empty()) return uri.password;
  std::ifstream file(options.password_file);
  std::string line;
  if (!std::getline(file, line))
    throw std::runtime_error("RabbitMQ source: RabbitOptions::password_file \"" + options.password_file +
                             "\" cannot be read or is empty");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Configuration configure(const RabbitOptions& options, const SourceContext& context) {
  using namespace std::chrono_literals;
  Configuration made;
  made.options = options;
  made.uri = parse_uri(options.uri);
  made.addresses.push_back(made.uri.address);
  for (const std::string& host : options.more_hosts) {
    try {
      made.addresses.push_back(parse_address(host, made.uri.address.port));
    } catch (const std::invalid_argument& e) {
      check(false, "more_hosts", "has \"" + host + "\": " + e.what());
    }
  }
  check_name(options.queue, "queue");
  check(options.password_file.empty() || options.password_env.empty(), "password_file",
        "and password_env are both given: choose one");
  check(options.heartbeat >= 1s && options.heartbeat <= 65'535s, "heartbeat", "must be between 1 and 65535 s");
  check(options.consumer_timeout >= 0ms, "consumer_timeout", "must not be negative");
  check(options.wait_for_queue >= 0ms, "wait_for_queue", "must not be negative");
  check_tls(options, made.uri);
  check_topology(options.topology);

  made.consumer = context.consumer;
  // One less than the runtime takes: the broker holds back before the runtime has to pause, which here means not to
  // read from the connection.
  made.prefetch = static_cast<std::uint16_t>(
      std::clamp<std::size_t>(context.budget_messages, 2, largest_prefetch + 1) - 1);
  made.exclusive = !context.shared_store;
  made.consumer_timeout = consumer_timeout(options);
  return made;
}

}  // namespace idem::rabbit
