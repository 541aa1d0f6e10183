// The source suite on a real Kafka.
#include "kafka_place.h"
#include "support/kafka_broker.h"
#include "support/require.h"

namespace idem::conformance {
namespace {

std::unique_ptr<SourcePlace> on_real_kafka(KafkaOptions::Mode mode) {
  test::KafkaBroker& broker = test::KafkaBroker::shared();
  std::string topic = test::unique_name("source-suite");
  broker.create_topic(topic, SourcePlace::partitions);
  return std::make_unique<KafkaPlace>(broker.bootstrap(), topic, mode);
}

std::optional<std::string> kafka_missing() {
  auto reason = test::KafkaBroker::unavailable();
  if (reason && test::required("kafka")) throw std::runtime_error("kafka is required, but " + *reason);
  return reason;
}

INSTANTIATE_TEST_SUITE_P(
    Sources, SourceSuite,
    testing::Values(PlaceFactory{"kafka_group", [] { return on_real_kafka(KafkaOptions::Mode::group); }, kafka_missing},
                    PlaceFactory{"kafka_fixed", [] { return on_real_kafka(KafkaOptions::Mode::fixed); },
                                 kafka_missing}),
    place_name);

}  // namespace
}  // namespace idem::conformance
