// What cannot work is said at the start, and what it says helps.
#include <gtest/gtest.h>

#include "rabbitmq/connection.h"
#include "rabbitmq/topology.h"
#include "running_source.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

struct RabbitStart : testing::Test {
  void SetUp() override { IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable()); }
  RabbitBroker& broker() { return RabbitBroker::shared(); }
  RabbitOptions options(const std::string& queue = unique_name("queue")) { return options_for(broker().uri(), queue); }
  void refused(const RabbitOptions& options, std::initializer_list<const char*> words) {
    const std::string what = RunningRabbit(options).refusal();
    EXPECT_FALSE(what.empty()) << "it starts";
    for (const char* word : words) EXPECT_NE(what.find(word), std::string::npos) << word << " is not in: " << what;
    EXPECT_EQ(what.find("s3cret"), std::string::npos) << what;
  }
};

TEST_F(RabbitStart, a_wrong_password) {
  RabbitOptions o = options();
  o.uri = broker().uri("guest", "s3cret");
  refused(o, {"ACCESS_REFUSED", "guest", "password", "RabbitOptions::uri"});
}

TEST_F(RabbitStart, an_unknown_vhost) {
  RabbitOptions o = options();
  o.uri = broker().uri("guest", "guest", "nowhere");
  refused(o, {"nowhere", "vhost", "RabbitOptions::uri"});
}

TEST_F(RabbitStart, a_host_where_nothing_listens) {
  RabbitOptions o = options();
  o.uri = "amqp://guest:s3cret@127.0.0.1:1";
  refused(o, {"127.0.0.1:1", "RabbitOptions::uri"});
}

TEST_F(RabbitStart, a_host_that_does_not_exist) {
  RabbitOptions o = options();
  o.uri = "amqp://guest:s3cret@no-such-host.invalid";
  refused(o, {"no-such-host.invalid"});
}

TEST_F(RabbitStart, an_unknown_queue) {
  RabbitOptions o = options("not-there");
  refused(o, {"not-there", "no queue", "RabbitOptions::queue", "RabbitOptions::topology"});
}

TEST_F(RabbitStart, an_unknown_exchange_in_a_binding) {
  RabbitOptions o = options();
  o.topology.queues = {{.name = o.queue}};
  o.topology.bindings = {{.exchange = "no-such-exchange", .queue = o.queue, .routing_key = {}}};
  refused(o, {"no-such-exchange", "cannot be bound"});
  RabbitClient(broker().uri()).delete_queue(o.queue);
}

TEST_F(RabbitStart, a_queue_that_is_another_one) {
  RabbitOptions o = options();
  RabbitClient client(broker().uri());
  client.declare_queue(o.queue, {{"x-message-ttl", std::int64_t{2'000}}});
  o.topology.queues = {{.name = o.queue, .message_ttl = 1'000ms}};
  refused(o, {o.queue.c_str(), "x-message-ttl", "2000", "1000", "RabbitOptions::topology", "policy"});
  o.topology.queues = {
      {.name = o.queue, .type = RabbitQueue::Type::quorum, .message_ttl = 2'000ms, .delivery_limit = 1'000'000}};
  refused(o, {"x-queue-type", "quorum"});
  o.topology.queues = {{.name = o.queue, .dead_letter_exchange = "dlx", .message_ttl = 2'000ms}};
  refused(o, {"x-dead-letter-exchange", "not set", "dlx"});
  o.topology.queues = {{.name = o.queue, .durable = false, .message_ttl = 2'000ms}};
  refused(o, {"durable", "true", "false"});
  client.delete_queue(o.queue);
}

TEST_F(RabbitStart, an_exchange_of_another_type) {
  RabbitOptions o = options();
  o.topology.exchanges = {{.name = "amq.direct", .type = "fanout"}};
  refused(o, {"amq.direct", "type", "direct", "fanout"});
}

TEST_F(RabbitStart, a_queue_that_another_process_reads) {
  RabbitOptions o = options();
  RabbitClient client(broker().uri());
  client.declare_queue(o.queue, {{"x-queue-type", "quorum"}});  // which would let both consume, exclusive or not
  {
    RunningRabbit first(o);
    first.start();
    refused(o, {o.queue.c_str(), "another process", "PostgreSQL", "queue of its own"});
  }
  RunningRabbit(o).start();  // as soon as the first has left
  client.delete_queue(o.queue);
}

// What the lock does not keep out: it reads without asking for it.
TEST_F(RabbitStart, a_queue_that_something_else_reads) {
  RabbitOptions o = options();
  RabbitClient client(broker().uri());
  client.declare_queue(o.queue);
  {
    RunningRabbit first(o);
    first.start(10'000, /*shared=*/true);
    refused(o, {o.queue.c_str(), "another process", "PostgreSQL", "queue of its own"});
  }
  RunningRabbit(o).start();
  client.delete_queue(o.queue);
}

TEST_F(RabbitStart, a_consumer_of_another_name) {
  RabbitOptions o = options();
  RabbitClient client(broker().uri());
  client.declare_queue(o.queue);
  RunningRabbit first(o);
  first.source.start(first.recorder, {"another name", 10'000, 64 << 20, 5s, false});
  refused(o, {o.queue.c_str(), "another process"});
  first.source.stop();
  client.delete_queue(o.queue);
}

// RabbitMQ 4 drops after 20 times what comes back, and each death of a consumer counts.
TEST_F(RabbitStart, a_quorum_queue_that_would_drop_messages) {
  const rabbit::Owner owner{"RabbitMQ source", "RabbitOptions"};
  RabbitTopology topology{.queues = {{.name = "payments", .type = RabbitQueue::Type::quorum}}};
  const auto refusal = [&](const char* version) -> std::string {
    try {
      rabbit::check_for_version(topology, version, owner);
      return {};
    } catch (const rabbit::Failure& failure) {
      return failure.what();
    }
  };
  for (const char* word : {"payments", "RabbitOptions::topology", "4.0.5", "dead_letter_exchange", "delivery_limit"})
    EXPECT_NE(refusal("4.0.5").find(word), std::string::npos) << refusal("4.0.5");
  EXPECT_NE(refusal("10.1"), "");
  EXPECT_EQ(refusal("3.13.7"), "");
  EXPECT_EQ(refusal(""), "");
  topology.queues[0].delivery_limit = 1'000'000;
  EXPECT_EQ(refusal("4.0.5"), "");
  topology.queues[0].delivery_limit.reset();
  topology.queues[0].dead_letter_exchange = "dead";
  EXPECT_EQ(refusal("4.0.5"), "");

  // And the server is asked what it is.
  RabbitOptions o = options();
  RabbitClient client(broker().uri());
  o.topology.queues = {{.name = o.queue, .type = RabbitQueue::Type::quorum}};
  if (client.server_version().starts_with("3.")) {
    RunningRabbit(o).start();
  } else {
    refused(o, {o.queue.c_str(), "delivery_limit"});
    o.topology.queues[0].delivery_limit = 1'000'000;
    RunningRabbit(o).start();
  }
  client.delete_queue(o.queue);
}

TEST_F(RabbitStart, another_host_is_tried_in_turn) {
  RabbitOptions o = options();
  RabbitClient client(broker().uri());
  client.declare_queue(o.queue);
  o.uri = "amqp://guest:guest@127.0.0.1:1";
  o.more_hosts = {"127.0.0.1:2", "127.0.0.1:" + std::to_string(broker().port())};
  RunningRabbit running(o);
  running.start();
  EXPECT_TRUE(running.partition().held);
  running.stop();
  client.delete_queue(o.queue);
}

TEST_F(RabbitStart, the_topology_is_made_and_made_again) {
  RabbitOptions o = options();
  const std::string dead = o.queue + "-dead", exchange = o.queue + "-exchange";
  o.topology.exchanges = {{.name = exchange, .type = "topic"}, {.name = dead, .type = "fanout"}};
  o.topology.queues = {{.name = o.queue, .type = RabbitQueue::Type::quorum, .dead_letter_exchange = dead,
                        .max_length = 1'000, .delivery_limit = 5},
                       {.name = dead}};
  o.topology.bindings = {{.exchange = exchange, .queue = o.queue, .routing_key = "a.#"},
                         {.exchange = dead, .queue = dead, .routing_key = ""}};
  RabbitClient client(broker().uri());
  for (int i = 0; i < 2; ++i) {
    RunningRabbit running(o);
    running.start();
    client.publish("a.b", {{.payload = "x"}}, exchange);
    EXPECT_TRUE(running.until([&] { return running.received() >= 1; })) << i;
    running.acknowledge(running.partition().offsets());
  }
  client.delete_queue(o.queue);
  client.delete_queue(dead);
}

}  // namespace
}  // namespace idem::test
