// Options that are wrong are refused by name before anything is connected.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "sources/rabbitmq/rabbit_config.h"

namespace idem::rabbit {
namespace {

using namespace std::chrono_literals;

RabbitOptions good() {
  RabbitOptions options;
  options.queue = "orders";
  return options;
}
SourceContext context(std::size_t messages = 10'000) { return {"shop", messages, 64 << 20, 5s}; }

void refuses(const RabbitOptions& options, const std::string& member) {
  try {
    configure(options, context());
    ADD_FAILURE() << "taken, wrong as it is: " << member;
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("RabbitOptions::" + member), std::string::npos) << e.what();
  }
}
template <class Change>
void refuses_when(const std::string& member, Change change) {
  RabbitOptions options = good();
  change(options);
  refuses(options, member);
}

TEST(RabbitOptionsTest, what_is_wrong_is_refused_by_name) {
  refuses_when("queue", [](auto& o) { o.queue.clear(); });
  refuses_when("queue", [](auto& o) { o.queue.assign(256, 'q'); });
  refuses_when("uri", [](auto& o) { o.uri = "kafka://localhost"; });
  refuses_when("more_hosts", [](auto& o) { o.more_hosts = {"a:1", "b:0"}; });
  refuses_when("heartbeat", [](auto& o) { o.heartbeat = 0s; });
  refuses_when("consumer_timeout", [](auto& o) { o.consumer_timeout = -1ms; });
  refuses_when("wait_for_queue", [](auto& o) { o.wait_for_queue = -1ms; });
  refuses_when("password_file", [](auto& o) { o.password_file = "a", o.password_env = "b"; });
  refuses_when("tls", [](auto& o) { o.tls.ca_file = "ca.pem"; });
  refuses_when("tls.ca_file", [](auto& o) { o.uri = "amqps://host"; });
  refuses_when("tls", [](auto& o) { o.uri = "amqps://host", o.tls = {"ca", "certificate", ""}; });
  refuses_when("topology.queues", [](auto& o) { o.topology.queues = {{.name = "q", .type = RabbitQueue::Type::quorum, .durable = false}}; });
  refuses_when("topology.queues", [](auto& o) { o.topology.queues = {{.name = "q", .arguments = {{"x-overflow", "drop-head"}}}}; });
  refuses_when("topology.queues", [](auto& o) { o.topology.queues = {{.name = "q", .delivery_limit = 5}}; });
  refuses_when("topology.queues", [](auto& o) { o.topology.queues = {{.name = "q", .type = RabbitQueue::Type::quorum, .delivery_limit = -1}}; });
  refuses_when("topology.exchanges", [](auto& o) { o.topology.exchanges = {{}}; });
  refuses_when("topology.bindings", [](auto& o) { o.topology.bindings = {{.exchange = "e"}}; });
  // AMQP has one byte for these lengths; found by tests/fuzz, which saw the frame broken.
  const std::string longer(256, 'x');
  const RabbitArguments argument = {{longer, true}};
  refuses_when("topology.queues", [&](auto& o) { o.topology.queues = {{.name = "q", .arguments = argument}}; });
  refuses_when("topology.exchanges", [&](auto& o) { o.topology.exchanges = {{.name = "e", .arguments = argument}}; });
  refuses_when("topology.exchanges", [&](auto& o) { o.topology.exchanges = {{.name = "e", .type = longer}}; });
  refuses_when("topology.bindings", [&](auto& o) { o.topology.bindings = {{"e", "q", longer, {}}}; });
  refuses_when("topology.bindings", [&](auto& o) { o.topology.bindings = {{"e", "q", "", argument}}; });
}

TEST(RabbitOptionsTest, the_prefetch_follows_the_budget_and_is_never_unlimited) {
  EXPECT_EQ(configure(good(), context(10'000)).prefetch, 9'999);
  EXPECT_EQ(configure(good(), context(1)).prefetch, 1);
  EXPECT_EQ(configure(good(), context(2)).prefetch, 1);
  EXPECT_EQ(configure(good(), context(1'000'000)).prefetch, 65'535);
}

TEST(RabbitOptionsTest, a_queue_of_its_own_timeout_goes_first) {
  RabbitOptions options = good();
  EXPECT_EQ(configure(options, context()).consumer_timeout, 30min);
  options.topology.queues = {{.name = "orders", .arguments = {{"x-consumer-timeout", std::int64_t{90'000}}}}};
  EXPECT_EQ(configure(options, context()).consumer_timeout, 90s);
}

TEST(RabbitOptionsTest, the_password_comes_from_where_it_is_kept) {
  RabbitOptions options = good();
  options.uri = "amqp://u:in-uri@h";
  EXPECT_EQ(configure(options, context()).server.password(), "in-uri");
  setenv("IDEM_TEST_PASSWORD", "in-env", 1);
  options.password_env = "IDEM_TEST_PASSWORD";
  EXPECT_EQ(configure(options, context()).server.password(), "in-env");
  options.password_env = "IDEM_TEST_NOT_THERE";
  EXPECT_THROW(configure(options, context()).server.password(), std::runtime_error);
  options.password_env.clear();
  const std::string file = testing::TempDir() + "idem-password";
  std::ofstream(file) << "in-file\r\nsecond line\n";
  options.password_file = file;
  EXPECT_EQ(configure(options, context()).server.password(), "in-file");
  std::remove(file.c_str());
  EXPECT_THROW(configure(options, context()).server.password(), std::runtime_error);
}

}  // namespace
}  // namespace idem::rabbit
