// Declares a RabbitTopology, and says what differs where the server has something else.
#pragma once

#include <string>

#include <idem/rabbitmq_topology.h>

namespace idem::rabbit {

class Connection;

/// On a channel of its own, which is closed again. Throws Failure.
void declare(Connection& connection, const RabbitTopology& topology);

/// What a refused declaration says to a person: the argument, both values and the remedy. `server_text` is RabbitMQ's
/// own (406), `what` names the thing: queue "orders".
std::string explain_difference(const std::string& what, const std::string& server_text);

}  // namespace idem::rabbit
