// idem doctor against a real single node, with its properties from a file.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "program.h"
#include "support/kafka_broker.h"
#include "support/require.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

TEST(DoctorKafkaProgram, one_node_is_1) {
  IDEM_NEEDS("kafka", KafkaBroker::unavailable());
  KafkaBroker& broker = KafkaBroker::shared();
  const std::string topic = unique_name("doctor");
  broker.create_topic(topic, 1);
  const Scratch scratch("doctor");
  std::ofstream(scratch / "client.properties") << "# for the doctor\n\nacks=1\r\n";
  const Ended ended = idem({"doctor", "--kafka", broker.bootstrap(), "--topic", topic, "--property-file",
                            scratch / "client.properties", "--property", "enable.idempotence=false", "--json"});
  EXPECT_EQ(ended.code, 1) << ended.output;
  const auto json = ended.json();
  ASSERT_TRUE(json.is_object()) << ended.output;
  const auto verdict = [&](const std::string& name) {
    for (const auto& check : json["checks"])
      if (check["name"] == name) return check["verdict"].get<std::string>();
    return std::string("absent");
  };
  EXPECT_EQ(verdict("kafka.connection"), "pass");
  EXPECT_EQ(verdict("kafka.brokers"), "fail");
  EXPECT_EQ(verdict("kafka.topic.replication.factor"), "fail");
  EXPECT_EQ(verdict("kafka.topic.unclean.leader.election.enable"), "pass");
  EXPECT_EQ(verdict("kafka.producer.acks"), "fail");
}

}  // namespace
}  // namespace idem::test
