#include <functional>
#include <memory>

#include "doctor/rabbitmq/facts.h"
#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/argument_table.h"
#include "rabbitmq/connection.h"
#include "rabbitmq/redial.h"
#include "rabbitmq/topology.h"

namespace idem::doctor {
namespace {

using rabbit::declaring_channel;
using rabbit::Failure;

constexpr int access_refused = 403, not_found = 404, resource_locked = 405, precondition_failed = 406;

/// What the server has against a declaration, which is made on a channel of its own; nullopt: nothing.
std::optional<Failure> objection(rabbit::Connection& connection, const std::function<void()>& declare) {
  connection.open_channel(declaring_channel);
  declare();
  try {
    connection.check("declaring");
  } catch (const Failure& failure) {
    if (failure.code == 0 || connection.dead()) throw;
    connection.channel_was_closed(declaring_channel);
    return failure;
  }
  connection.close_channel(declaring_channel);
  return std::nullopt;
}

std::string explain(const Failure& failure, const std::string& kind) {
  switch (failure.code) {
    case not_found:
      return "there is no such " + kind;
    case resource_locked:
      return "it is exclusive to another connection, and gone with that";
    default:
      return failure.text;
  }
}

/// Reads from the objection to a declaration with durable=true and auto_delete=false what the thing has.
void read_objection(const std::optional<Failure>& failure, DeclaredFacts& facts) {
  const std::string differs = failure ? rabbit::word_after(failure->text, "inequivalent arg ") : "";
  if (failure && failure->code == access_refused)
    facts.not_told = "this user may not configure it: " + failure->text;
  else if (failure && (failure->code != precondition_failed || differs.empty()))
    facts.not_told = failure->text;
  else if (differs == "durable")
    facts.durable = false;
  else {
    facts.durable = true;
    facts.auto_delete = differs == "auto_delete";
  }
}

std::string version_of(rabbit::Connection& connection) {
  const amqp_table_t& told = *amqp_get_server_properties(connection.get());
  for (int i = 0; i < told.num_entries; ++i)
    if (rabbit::view(told.entries[i].key) == "version" && told.entries[i].value.kind == AMQP_FIELD_KIND_UTF8)
      return rabbit::text(told.entries[i].value.value.bytes);
  return "";
}

// A passive declaration says that a thing is there and nothing else: it ignores durable, type and arguments. One that
// is not passive compares them and names the first difference, in the order durable, auto_delete, arguments. But it
// would make what is absent. So it is asked only after the passive one has found the thing; and lest somebody deletes
// it in between, the declaration carries an argument that the server takes for nothing new (a queue that expires after
// -1 ms, an alternate exchange that is a number): it can only be refused.

DeclaredFacts ask_queue(rabbit::Connection& connection, const std::string& name) {
  DeclaredFacts facts{.name = name};
  const auto declare = [&](bool passive, amqp_table_t arguments) {
    return objection(connection, [&] {
      amqp_queue_declare(connection.get(), declaring_channel, rabbit::bytes(name), passive, /*durable=*/1,
                         /*exclusive=*/0,
                         /*auto_delete=*/0, arguments);
    });
  };
  if (const auto failure = declare(true, amqp_empty_table)) {
    facts.error = explain(*failure, "queue");
    return facts;
  }
  const RabbitArguments impossible{{"x-expires", std::int64_t{-1}}};
  rabbit::ArgumentTable table(impossible);
  read_objection(declare(false, table.get()), facts);
  return facts;
}

DeclaredFacts ask_exchange(rabbit::Connection& connection, const std::string& name) {
  DeclaredFacts facts{.name = name};
  std::string type = "direct";
  const auto declare = [&](bool passive, amqp_table_t arguments) {
    return objection(connection, [&] {
      amqp_exchange_declare(connection.get(), declaring_channel, rabbit::bytes(name), rabbit::bytes(type), passive,
                            /*durable=*/1, /*auto_delete=*/0, /*internal=*/0, arguments);
    });
  };
  if (const auto failure = declare(true, amqp_empty_table)) {
    facts.error = explain(*failure, "exchange");
    return facts;
  }
  const RabbitArguments impossible{{"alternate-exchange", std::int64_t{0}}};
  rabbit::ArgumentTable table(impossible);
  auto failure = declare(false, table.get());
  // Of an exchange the type is compared before anything else.
  if (failure && rabbit::word_after(failure->text, "inequivalent arg ") == "type") {
    type = rabbit::word_after(failure->text, "current is ");
    failure = declare(false, table.get());
  }
  read_objection(failure, facts);
  return facts;
}

}  // namespace

void ask_amqp(const rabbit::Server& server, const RabbitDoctorOptions& options, RabbitFacts& facts) {
  std::unique_ptr<rabbit::Connection> connection;
  try {
    rabbit::Redial(server, std::chrono::milliseconds(1'000)).begin([&](const rabbit::Address& address) {
      connection = std::make_unique<rabbit::Connection>(server, address);
    });
    facts.version = version_of(*connection);
    for (const std::string& name : options.exchanges) {
      if (name.empty())  // the default exchange: always there, and not to be declared
        facts.exchanges.push_back({.name = "", .durable = true, .auto_delete = false});
      else
        facts.exchanges.push_back(ask_exchange(*connection, name));
    }
    for (const std::string& name : options.queues) facts.queues.push_back(ask_queue(*connection, name));
    connection->close();
  } catch (const std::runtime_error& failure) {
    facts.error = failure.what();
  }
}

}  // namespace idem::doctor
