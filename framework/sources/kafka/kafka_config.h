// librdkafka's properties: what idem sets, what it refuses, and which of them are secret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <idem/kafka.h>

#include "sources/kafka/kafka_properties.h"

namespace idem::kafka {

enum class Reset { earliest, latest, error };

struct Configuration {
  Conf conf;
  std::string group;
  std::string brokers;               ///< for error texts
  Reset reset = Reset::earliest;     ///< where a reader without history begins; resolved here, not by librdkafka
  std::vector<std::string> secrets;  ///< values that must not appear in any text
};

/// Throws std::invalid_argument that names the option or property and says what to use instead.
Configuration configure(const KafkaOptions& options, const SourceContext& context);

}  // namespace idem::kafka
