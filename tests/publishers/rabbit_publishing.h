// What the tests of RabbitPublisher on a real server share.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include <idem/rabbitmq_publisher.h>

#include "rabbit_reader.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/require.h"
#include "support/unique_name.h"

namespace idem::test {

using namespace std::chrono_literals;
using Known = PublishResult::Known;
using Mode = RabbitPublisherOptions::Mode;

/// A queue of its own on the shared server.
struct RabbitPublishing {
  virtual ~RabbitPublishing() = default;
  virtual RabbitBroker& broker() { return RabbitBroker::shared(); }
  const std::string& uri() { return broker().uri(); }
  RabbitPublisherOptions options(Mode mode = Mode::confirm) {
    RabbitPublisherOptions o;
    o.uri = uri();
    o.topology.queues = {{.name = queue}};
    o.mode = mode;
    return o;
  }
  RabbitOutgoing message(const std::string& payload, const std::string& id = "") const {
    return {.routing_key = queue, .payload = payload, .id = id};
  }
  std::vector<FoundMessage> found() { return read_queue(uri(), queue); }

  std::string queue = unique_name("queue");
};

/// A server of its own, which may be killed.
struct OwnRabbit : RabbitPublishing {
  RabbitBroker& broker() override {
    if (!own) own = std::make_unique<RabbitBroker>(settings);
    return *own;
  }
  RabbitBroker::Options settings;
  std::unique_ptr<RabbitBroker> own;
};

}  // namespace idem::test
