// A topic as a destination of the outbox.
#include <utility>

#include <idem/kafka_publisher.h>
#include <idem/outbox.h>

namespace idem {
namespace {

class KafkaTopicDestination final : public Destination {
 public:
  KafkaTopicDestination(KafkaPublisher& publisher, std::string topic)
      : publisher_(publisher), topic_(std::move(topic)) {}

  std::string description() const override { return "kafka topic " + topic_; }

  void send(const OutgoingMessage& message, PublishCallback done) override {
    KafkaOutgoing out;
    out.topic = topic_;
    out.key = message.key;
    out.payload = message.payload;
    out.id = message.id;
    for (const auto& header : message.headers)
      if (header.first != publisher_.id_header()) out.headers.push_back(header);
    publisher_.publish_async(std::move(out), std::move(done));
  }

  void send_again() override {
    for (const StoppedLane& lane : publisher_.stopped())
      if (lane.topic == topic_) publisher_.resume(lane.topic, lane.key, lane.partition);
  }

 private:
  KafkaPublisher& publisher_;
  const std::string topic_;
};

}  // namespace

std::unique_ptr<Destination> kafka_topic(KafkaPublisher& publisher, std::string topic) {
  return std::make_unique<KafkaTopicDestination>(publisher, std::move(topic));
}

}  // namespace idem
