// What is to be declared, and what is said when the server has something else: a topology that is not refused reaches the
// wire as it is, and whatever the server says is passed on to a person.
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "input.h"
#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/argument_table.h"
#include "rabbitmq/server.h"
#include "rabbitmq/topology.h"

namespace {

using namespace idem;
using fuzz::Input;
using fuzz::promise;

RabbitArguments arguments(Input& input) {
  RabbitArguments made;
  for (int count = input.byte() % 4; count > 0; --count) {
    RabbitValue& value = made[std::string(input.text(1))];
    switch (input.byte() % 3) {
      case 0: value = (input.byte() & 1) != 0; break;
      case 1: value = static_cast<std::int64_t>(input.number()); break;
      default: value = std::string(input.text());
    }
  }
  return made;
}

RabbitTopology topology(Input& input) {
  RabbitTopology made;
  made.exchanges.push_back({.name = std::string(input.text(1)), .arguments = arguments(input)});
  RabbitQueue queue{.name = std::string(input.text(1)), .durable = (input.byte() & 1) != 0, .arguments = arguments(input)};
  if (input.byte() & 1) queue.type = RabbitQueue::Type::quorum;
  made.queues.push_back(queue);
  if (input.byte() & 1)
    made.bindings.push_back({std::string(input.text()), queue.name, std::string(input.text(1)), arguments(input)});
  return made;
}

/// Written as rabbitmq-c does, and read again.
void reaches_the_wire(const RabbitArguments& wanted) {
  rabbit::ArgumentTable table(wanted);
  amqp_table_t made = table.get();
  std::string wire(8'192, '\0');
  std::size_t offset = 0;
  promise(amqp_encode_table(rabbit::bytes(wire), &made, &offset) == AMQP_STATUS_OK, "arguments can be written", "");
  amqp_pool_t pool;
  init_amqp_pool(&pool, 4'096);
  amqp_table_t found{};
  offset = 0;
  promise(amqp_decode_table(rabbit::bytes(wire), &pool, &found, &offset) == AMQP_STATUS_OK, "and read again", "");
  promise(static_cast<std::size_t>(found.num_entries) == wanted.size(), "each of them", "");
  int i = 0;
  for (const auto& [name, value] : wanted) {
    const amqp_table_entry_t& entry = found.entries[i++];
    promise(rabbit::view(entry.key) == name, "an argument has its name", name);
    bool same = false;
    if (const auto* flag = std::get_if<bool>(&value)) same = *flag == (entry.value.value.boolean != 0);
    if (const auto* number = std::get_if<std::int64_t>(&value)) same = *number == entry.value.value.i64;
    if (const auto* text = std::get_if<std::string>(&value)) same = *text == rabbit::view(entry.value.value.bytes);
    promise(same, "an argument has its value", name);
  }
  empty_amqp_pool(&pool);
}

void declared(Input& input) {
  const RabbitTopology wanted = topology(input);
  try {
    rabbit::check_topology(wanted, {"fuzz", "Options"});
  } catch (const std::invalid_argument&) {  // anything else is a finding
    return;
  }
  for (const auto& exchange : wanted.exchanges) reaches_the_wire(exchange.arguments);
  for (const auto& queue : wanted.queues) reaches_the_wire(queue.arguments);
  for (const auto& binding : wanted.bindings) {
    promise(binding.routing_key.size() <= 255, "a routing key fits into AMQP", binding.routing_key);
    reaches_the_wire(binding.arguments);
  }
}

void explained(Input& input) {
  const std::string said(input.rest());
  const std::string explained = rabbit::explain_difference("queue \"q\"", said, "Options::topology");
  promise(explained.starts_with("queue \"q\""), "it is said what it is about", explained);
  promise(explained.find("Options::topology") != std::string::npos, "and where it was asked for", explained);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 0)
    declared(input);
  else
    explained(input);
  return 0;
}
