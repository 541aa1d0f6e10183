// Declares a RabbitTopology, and says what differs where the server has something else.
#pragma once

#include <string>
#include <string_view>

#include <idem/rabbitmq_topology.h>

namespace idem::rabbit {

class Connection;
struct Owner;

/// What cannot be right whatever the server has. Throws std::invalid_argument.
void check_topology(const RabbitTopology& topology, const Owner& owner);

/// What RabbitMQ of this version would do to messages in these queues that nobody asked for. Throws Failure.
void check_for_version(const RabbitTopology& topology, std::string_view server_version, const Owner& owner);

/// On a channel of its own, which is closed again. Throws Failure.
void declare(Connection& connection, const RabbitTopology& topology);

/// RabbitMQ writes: inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '20' of type
/// 'signedint' but current is none; or: received '2000' but current is '1000'. What stands after `before`, without quotes.
std::string word_after(const std::string& server_text, const std::string& before);

/// What a refused declaration says to a person: the argument, both values and the remedy. `server_text` is RabbitMQ's
/// own (406), `what` names the thing: queue "orders"; `member` the option that has the topology.
std::string explain_difference(const std::string& what, const std::string& server_text, const std::string& member);

}  // namespace idem::rabbit
