// The options of a RabbitPublisher, checked, and how its connection comes about.
#pragma once

#include <memory>
#include <string>

#include <idem/rabbitmq_publisher.h>

#include "rabbitmq/connection.h"

namespace idem::rabbit {

constexpr std::uint16_t publishing_channel = 1;

/// Throws std::invalid_argument, naming the member.
Server configure_publisher(const RabbitPublisherOptions& options);

/// Connects, declares the topology and opens the channel in its mode. Throws Failure.
std::unique_ptr<Connection> connect_publisher(const Server& server, const Address& address,
                                              const RabbitPublisherOptions& options);
/// The channel, anew after the server closed it. Throws Failure.
void open_publishing_channel(Connection& connection, RabbitPublisherOptions::Mode mode);

}  // namespace idem::rabbit
