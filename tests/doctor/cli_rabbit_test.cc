// idem doctor against a real RabbitMQ, with its password from where nobody else can read it.
#include <gtest/gtest.h>

#include <fstream>

#include "program.h"
#include "rabbitmq/running_source.h"
#include "support/scratch.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

struct DoctorRabbitProgram : testing::Test {
  void SetUp() override { IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable()); }
  const std::string server = "amqp://guest@127.0.0.1:" + std::to_string(RabbitBroker::shared().port());
  const std::string queue = unique_name("queue");
};

TEST_F(DoctorRabbitProgram, what_amqp_does_not_show_is_2) {
  RabbitClient client(RabbitBroker::shared().uri());
  client.declare_queue(queue);
  const Ended ended = idem({"doctor", "--rabbitmq", server, "--password-env", "DOCTOR_PASSWORD", "--queue", queue,
                            "--exchange", "amq.topic", "--json"},
                           {{"DOCTOR_PASSWORD", "guest"}});
  EXPECT_EQ(ended.code, 2) << ended.output;
  EXPECT_EQ(ended.json()["verdict"], "unknown") << ended.output;
  client.delete_queue(queue);
}

TEST_F(DoctorRabbitProgram, a_wrong_password_is_1_and_not_shown) {
  const Scratch scratch("doctor");
  std::ofstream(scratch / "password") << "hunter2\n";
  const Ended ended = idem({"doctor", "--rabbitmq", server, "--password-file", scratch / "password", "--queue", queue});
  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_TRUE(says(ended, "rabbitmq.connection")) << ended.output;
  EXPECT_FALSE(says(ended, "hunter2")) << ended.output;
}

TEST_F(DoctorRabbitProgram, options_that_are_wrong_are_3) {
  EXPECT_EQ(idem({"doctor", "--rabbitmq", "localhost:5672"}).code, 3);
  EXPECT_EQ(idem({"doctor", "--rabbitmq", server, "--consumer-timeout", "soon"}).code, 3);
}

}  // namespace
}  // namespace idem::test
