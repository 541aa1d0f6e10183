#include "kills/outlet.h"
#include "support/kafka_client.h"
#include "support/mock_kafka.h"

namespace idem::kills {
namespace {

class KafkaOutlet final : public Outlet {
 public:
  std::string kind() const override { return "kafka topic"; }
  void create(const std::string& name) override { mock_.create_topic(name, 3); }
  std::vector<std::string> arguments(const std::string& name) const override {
    return {"relay_bootstrap=" + mock_.bootstrap(), "relay_to=" + name};
  }
  std::vector<Relayed> take_all(const std::string& name) override {
    std::vector<Relayed> all;
    for (const test::StoredRecord& record : test::KafkaClient(mock_.bootstrap()).read_all(name)) {
      Relayed& message = all.emplace_back();
      message.of = record.payload.value_or("");
      message.key = record.key.value_or("");
      for (const auto& [header, value] : record.headers)
        if (header == "message-id") message.id = value.value_or("");
    }
    return all;
  }

 private:
  test::MockKafka mock_;
};

}  // namespace

std::unique_ptr<Outlet> make_kafka_outlet() { return std::make_unique<KafkaOutlet>(); }

}  // namespace idem::kills
