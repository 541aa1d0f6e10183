// The source suite on librdkafka's in-process broker. With fixed partitions: what it does in place of a group
// join takes seconds and a session timeout, which is not how a broker behaves.
#include "kafka_place.h"
#include "support/mock_kafka.h"

namespace idem::conformance {
namespace {

std::unique_ptr<SourcePlace> on_mock_kafka() {
  auto broker = std::make_shared<test::MockKafka>();
  broker->create_topic("suite", SourcePlace::partitions);
  return std::make_unique<KafkaPlace>(broker->bootstrap(), "suite", KafkaOptions::Mode::fixed, broker);
}

INSTANTIATE_TEST_SUITE_P(Sources, SourceSuite, testing::Values(PlaceFactory{"mock_fixed", on_mock_kafka}),
                         place_name);

}  // namespace
}  // namespace idem::conformance
