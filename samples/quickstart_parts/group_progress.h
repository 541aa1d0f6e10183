// What the broker has been told by the group "ledger": how far it is through the topic "payments".
#pragma once

#include <memory>
#include <string>

namespace RdKafka {
class KafkaConsumer;
}

namespace quickstart {

class GroupProgress {
 public:
  explicit GroupProgress(const std::string& bootstrap_servers);
  ~GroupProgress();

  /// True when the committed offset of every partition is its end: as far as the broker knows, all is done.
  bool at_end();

 private:
  std::unique_ptr<RdKafka::KafkaConsumer> client_;  // asks on behalf of the group, never joins it
};

}  // namespace quickstart
