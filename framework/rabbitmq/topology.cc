#include "rabbitmq/topology.h"

#include <charconv>

#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/argument_table.h"
#include "rabbitmq/connection.h"

namespace idem::rabbit {
namespace {

constexpr int precondition_failed = 406;

bool has_default_delivery_limit(std::string_view version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major >= 4;
}

void check_arguments(const RabbitArguments& arguments, const std::string& of, const Owner& owner) {
  for (const auto& [name, value] : arguments)
    owner.require(name.size() <= longest_name, "topology." + of,
                  "has an argument whose name is longer than 255 bytes, which AMQP does not allow");
}

RabbitArguments arguments_of(const RabbitQueue& queue) {
  RabbitArguments arguments = queue.arguments;
  arguments["x-queue-type"] = std::string(queue.type == RabbitQueue::Type::quorum ? "quorum" : "classic");
  if (!queue.dead_letter_exchange.empty()) arguments["x-dead-letter-exchange"] = queue.dead_letter_exchange;
  if (!queue.dead_letter_routing_key.empty()) arguments["x-dead-letter-routing-key"] = queue.dead_letter_routing_key;
  if (queue.message_ttl) arguments["x-message-ttl"] = std::int64_t{queue.message_ttl->count()};
  if (queue.max_length) {
    arguments["x-max-length"] = *queue.max_length;
    arguments["x-overflow"] = std::string("reject-publish");
  }
  if (queue.delivery_limit) arguments["x-delivery-limit"] = *queue.delivery_limit;
  return arguments;
}

void declare(Connection& connection, const RabbitExchange& exchange) {
  ArgumentTable table(exchange.arguments);
  amqp_exchange_declare(connection.get(), declaring_channel, bytes(exchange.name), bytes(exchange.type), /*passive=*/0,
                        exchange.durable, /*auto_delete=*/0, /*internal=*/0, table.get());
  connection.check("exchange \"" + exchange.name + "\" cannot be declared");
}

void declare(Connection& connection, const RabbitQueue& queue) {
  const RabbitArguments arguments = arguments_of(queue);
  ArgumentTable table(arguments);
  amqp_queue_declare(connection.get(), declaring_channel, bytes(queue.name), /*passive=*/0, queue.durable,
                     /*exclusive=*/0, /*auto_delete=*/0, table.get());
  connection.check("queue \"" + queue.name + "\" cannot be declared");
}

void declare(Connection& connection, const RabbitBinding& binding) {
  ArgumentTable table(binding.arguments);
  amqp_queue_bind(connection.get(), declaring_channel, bytes(binding.queue), bytes(binding.exchange),
                  bytes(binding.routing_key), table.get());
  connection.check("queue \"" + binding.queue + "\" cannot be bound to exchange \"" + binding.exchange + "\"");
}

template <class Thing>
void declare_named(Connection& connection, const Thing& thing, const std::string& what) {
  try {
    declare(connection, thing);
  } catch (const Failure& failure) {
    if (failure.code != precondition_failed) throw;
    throw Failure(failure.code, explain_difference(what, failure.text, connection.owner().member("topology")),
                  failure.text);
  }
}

}  // namespace

std::string word_after(const std::string& text, const std::string& before) {
  static constexpr std::string_view filler = "the value ";
  const auto at = text.find(before);
  if (at == std::string::npos) return {};
  auto begin = at + before.size();
  if (text.compare(begin, filler.size(), filler) == 0) begin += filler.size();
  const bool quoted = begin < text.size() && text[begin] == '\'';
  if (quoted) ++begin;
  const auto end = quoted ? text.find('\'', begin) : text.find_first_of(" ,", begin);
  return text.substr(begin, end == std::string::npos ? end : end - begin);
}

std::string explain_difference(const std::string& what, const std::string& said, const std::string& member) {
  const std::string argument = word_after(said, "inequivalent arg ");
  if (argument.empty()) return what + " is not as " + member + " has it: " + said;
  std::string wanted = word_after(said, "received "), found = word_after(said, "current is ");
  if (wanted == "none") wanted = "not given";
  if (found == "none") found = "not set";
  return what + ": its " + argument + " at the server is " + found + ", in " + member + " it is " + wanted +
         ". Correct the option; or, if the server is wrong, delete it there (when it is empty) and start again. What "
         "can change later is better set by a policy than by a declaration";
}

void check_topology(const RabbitTopology& topology, const Owner& owner) {
  for (const RabbitExchange& exchange : topology.exchanges) {
    owner.require_name(exchange.name, "topology.exchanges: a name");
    owner.require_name(exchange.type, "topology.exchanges: a type");
    check_arguments(exchange.arguments, "exchanges: \"" + exchange.name + "\"", owner);
  }
  for (const RabbitQueue& queue : topology.queues) {
    owner.require_name(queue.name, "topology.queues: a name");
    const std::string member = "topology.queues: \"" + queue.name + "\"";
    check_arguments(queue.arguments, "queues: \"" + queue.name + "\"", owner);
    owner.require(queue.durable || queue.type != RabbitQueue::Type::quorum, member,
                  "is a quorum queue, which is always durable");
    owner.require(!queue.delivery_limit || queue.type == RabbitQueue::Type::quorum, member,
                  "has a delivery_limit, which only quorum queues know");
    owner.require(!queue.delivery_limit || *queue.delivery_limit >= 0, member,
                  "has a negative delivery_limit, which RabbitMQ 3 takes for 0 and drops all that comes back: if there "
                  "shall be none, give one that is never reached");
    for (const char* own : {"x-queue-type", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-message-ttl",
                            "x-max-length", "x-overflow", "x-delivery-limit"})
      owner.require(!queue.arguments.contains(own), member,
                    std::string("has the argument ") + own + ", which is a member of RabbitQueue: use that");
  }
  for (const RabbitBinding& binding : topology.bindings) {
    owner.require_name(binding.queue, "topology.bindings: a queue");
    owner.require_name(binding.exchange, "topology.bindings: an exchange");
    owner.require(binding.routing_key.size() <= longest_name, "topology.bindings: a routing_key",
                  "is longer than 255 bytes, which AMQP does not allow");
    check_arguments(binding.arguments, "bindings: one of exchange \"" + binding.exchange + "\"", owner);
  }
}

void check_for_version(const RabbitTopology& topology, std::string_view server_version, const Owner& owner) {
  if (!has_default_delivery_limit(server_version)) return;
  for (const RabbitQueue& queue : topology.queues)
    if (queue.type == RabbitQueue::Type::quorum && !queue.delivery_limit && queue.dead_letter_exchange.empty())
      throw Failure(precondition_failed,
                    "queue \"" + queue.name + "\" of " + owner.member("topology") + " would lose messages: RabbitMQ " +
                        std::string(server_version) +
                        " drops from a quorum queue what came back 20 times, and each consumer that dies counts. Give "
                        "it a dead_letter_exchange that a durable queue is bound to, or a delivery_limit that is never "
                        "reached; or, if a policy has one, leave the queue out of the topology");
}

void declare(Connection& connection, const RabbitTopology& topology) {
  if (topology.exchanges.empty() && topology.queues.empty() && topology.bindings.empty()) return;
  check_for_version(topology, connection.server_version(), connection.owner());
  connection.open_channel(declaring_channel);
  for (const RabbitExchange& exchange : topology.exchanges)
    declare_named(connection, exchange, "exchange \"" + exchange.name + "\"");
  for (const RabbitQueue& queue : topology.queues) declare_named(connection, queue, "queue \"" + queue.name + "\"");
  for (const RabbitBinding& binding : topology.bindings) declare(connection, binding);
  connection.close_channel(declaring_channel);
}

}  // namespace idem::rabbit
