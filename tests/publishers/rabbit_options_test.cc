// Options and messages that cannot work are refused by name, before anything is sent.
#include <gtest/gtest.h>

#include <idem/rabbitmq_publisher.h>

#include "publishers/rabbitmq/message_writer.h"

namespace idem {
namespace {

using namespace std::chrono_literals;

void refused(const RabbitPublisherOptions& options, std::initializer_list<const char*> words) {
  try {
    RabbitPublisher publisher(options);
    ADD_FAILURE() << "it starts";
  } catch (const std::exception& e) {
    const std::string what = e.what();
    for (const char* word : words) EXPECT_NE(what.find(word), std::string::npos) << word << " is not in: " << what;
    EXPECT_EQ(what.find("s3cret"), std::string::npos) << what;
    EXPECT_EQ(what.find("RabbitOptions"), std::string::npos) << what;
    EXPECT_EQ(what.find("source"), std::string::npos) << what;
  }
}

RabbitPublisherOptions options() {
  RabbitPublisherOptions o;
  o.uri = "amqp://user:s3cret@127.0.0.1:1";
  return o;
}

TEST(RabbitPublisherOptions, each_is_refused_by_its_name) {
  auto o = options();
  o.uri = "http://user:s3cret@host";
  refused(o, {"RabbitPublisherOptions::uri", "amqp://"});
  (o = options()).window = 0;
  refused(o, {"RabbitPublisherOptions::window"});
  (o = options()).queue_messages = 0;
  refused(o, {"queue_messages"});
  (o = options()).queue_bytes = 0;
  refused(o, {"queue_bytes"});
  (o = options()).wait_for_room = -1ms;
  refused(o, {"wait_for_room"});
  (o = options()).confirm_timeout = 0ms;
  refused(o, {"confirm_timeout"});
  (o = options()).give_up = 0ms;
  refused(o, {"give_up"});
  (o = options()).close_timeout = -1ms;
  refused(o, {"close_timeout"});
  (o = options()).heartbeat = 0s;
  refused(o, {"RabbitPublisherOptions::heartbeat"});
  (o = options()).more_hosts = {"host:x"};
  refused(o, {"RabbitPublisherOptions::more_hosts"});
  (o = options()).tls.ca_file = "ca.pem";
  refused(o, {"RabbitPublisherOptions::tls", "amqps"});
}

TEST(RabbitPublisherOptions, what_does_not_outlive_a_restart_is_refused) {
  auto o = options();
  o.topology.queues = {{.name = "q", .durable = false}};
  refused(o, {"topology.queues", "\"q\"", "not durable", "restarts"});
  (o = options()).topology.exchanges = {{.name = "e", .durable = false}};
  refused(o, {"topology.exchanges", "\"e\"", "not durable"});
}

TEST(RabbitPublisherOptions, a_server_that_is_not_there) {
  refused(options(), {"127.0.0.1:1", "RabbitPublisherOptions::uri", "***", "connect_at_start"});
}

TEST(RabbitDefects, amqp_names_end_at_255_bytes) {
  const std::string fits(255, 'x'), too_long(256, 'x');
  using Member = std::string RabbitOutgoing::*;
  const std::pair<const char*, Member> members[] = {
      {"RabbitOutgoing::id ", &RabbitOutgoing::id},
      {"RabbitOutgoing::exchange ", &RabbitOutgoing::exchange},
      {"RabbitOutgoing::routing_key ", &RabbitOutgoing::routing_key},
      {"RabbitOutgoing::content_type ", &RabbitOutgoing::content_type},
      {"RabbitOutgoing::content_encoding ", &RabbitOutgoing::content_encoding},
      {"RabbitOutgoing::correlation_id ", &RabbitOutgoing::correlation_id},
      {"RabbitOutgoing::reply_to ", &RabbitOutgoing::reply_to},
      {"RabbitOutgoing::type ", &RabbitOutgoing::type},
      {"RabbitOutgoing::app_id ", &RabbitOutgoing::app_id}};
  for (const auto& [name, member] : members) {
    RabbitOutgoing message;
    message.*member = fits;
    EXPECT_EQ(rabbit::defect_of(message), "");
    message.*member = too_long;
    EXPECT_NE(rabbit::defect_of(message).find(name), std::string::npos) << rabbit::defect_of(message);
    EXPECT_NE(rabbit::defect_of(message).find("256"), std::string::npos);
  }
}

TEST(RabbitDefects, headers_that_do_not_fit_into_a_frame) {
  RabbitOutgoing message;
  message.headers = {{std::string(256, 'n'), true}};
  EXPECT_NE(rabbit::defect_of(message), "");
  message.headers = {{"", true}};
  EXPECT_NE(rabbit::defect_of(message), "");
  message.headers = {{"h", std::string(119'000, 'v')}};
  EXPECT_EQ(rabbit::defect_of(message), "");
  message.headers = {{"h", std::string(121'000, 'v')}};
  EXPECT_NE(rabbit::defect_of(message).find("frame"), std::string::npos);
  message.headers.clear();
  message.expiration = -1ms;
  EXPECT_NE(rabbit::defect_of(message).find("expiration"), std::string::npos);
}

}  // namespace
}  // namespace idem
