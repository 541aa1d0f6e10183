#include "kills/broker.h"
#include "support/kafka_broker.h"
#include "support/mock_kafka.h"

namespace idem::kills {
namespace {

class Kafka final : public Broker {
 public:
  explicit Kafka(bool real) : real_(real ? &test::KafkaBroker::shared() : nullptr) {
    if (!real) mock_ = std::make_unique<test::MockKafka>();
    client_ = std::make_unique<test::KafkaClient>(bootstrap());
  }

  // No static members in the in-process broker, and a join takes seconds there.
  std::vector<Kind> kinds() const override {
    const char* group = real_ ? "group" : "fixed";
    return {{"by_key", "fixed"}, {"by_partition", group}, {"unordered", "fixed"}, {"by_partition", "fixed"},
            {"by_key", group}};
  }
  std::int32_t partitions() const override { return 4; }

  void create(const std::string& topic, const Kind&) override {
    // The messages are stamped in the past, and are not to be tidied away.
    if (real_)
      real_->create_topic(topic, partitions(), {{"retention.ms", "-1"}});
    else
      mock_->create_topic(topic, partitions());
  }

  std::vector<test::Position> produce(const std::string& topic, const std::vector<test::Record>& records) override {
    return client_->produce(topic, records);
  }

  Told told(const std::string& group, const std::string& topic) override {
    std::vector<std::int32_t> all;
    for (std::int32_t partition = 0; partition < partitions(); ++partition) all.push_back(partition);
    Told told;
    for (const auto& [partition, committed] : client_->committed(group, topic, all))
      told.committed[partition] = committed.offset;
    return told;
  }

  std::vector<std::string> arguments() const override { return {"bootstrap=" + bootstrap()}; }
  bool reaches(std::string_view) const override { return true; }

 private:
  const std::string& bootstrap() const { return real_ ? real_->bootstrap() : mock_->bootstrap(); }

  test::KafkaBroker* real_;
  std::unique_ptr<test::MockKafka> mock_;
  std::unique_ptr<test::KafkaClient> client_;
};

}  // namespace

std::unique_ptr<Broker> make_kafka(bool real) { return std::make_unique<Kafka>(real); }

}  // namespace idem::kills
