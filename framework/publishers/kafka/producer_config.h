// The options of a KafkaPublisher, checked.
#pragma once

#include <string>
#include <vector>

#include <idem/kafka_publisher.h>

#include "sources/kafka/kafka_handles.h"

namespace idem::kafka {

struct ProducerConfiguration {
  Conf conf;
  std::vector<std::string> secrets;
  std::string name;  ///< for people: "kafka publisher"
  std::string id_header;
};

/// Throws std::invalid_argument that names the option or property and says what to use instead.
ProducerConfiguration configure_producer(const KafkaPublisherOptions& options);

/// Why the message cannot be sent; "" if it can.
std::string defect_of(const KafkaOutgoing& message, const std::string& id_header);

}  // namespace idem::kafka
