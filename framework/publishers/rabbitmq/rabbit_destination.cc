// An exchange as a destination of the outbox.
#include <utility>

#include <idem/outbox.h>
#include <idem/rabbitmq_publisher.h>

namespace idem {
namespace {

class RabbitExchangeDestination final : public Destination {
 public:
  RabbitExchangeDestination(RabbitPublisher& publisher, std::string exchange, std::string routing_key)
      : publisher_(publisher), exchange_(std::move(exchange)), routing_key_(std::move(routing_key)) {}

  std::string description() const override {
    if (exchange_.empty()) return "rabbitmq queue " + routing_key_;
    return "rabbitmq exchange " + exchange_ + (routing_key_.empty() ? "" : " routing key " + routing_key_);
  }

  void send(const OutgoingMessage& message, PublishCallback done) override {
    RabbitOutgoing out;
    out.exchange = exchange_;
    out.routing_key = routing_key_.empty() ? message.key.value_or("") : routing_key_;
    out.payload = message.payload.value_or("");
    out.id = message.id;
    for (const auto& [name, value] : message.headers) out.headers[name] = value.value_or("");
    publisher_.publish_async(std::move(out), std::move(done));
  }

 private:
  RabbitPublisher& publisher_;
  const std::string exchange_, routing_key_;
};

}  // namespace

std::unique_ptr<Destination> rabbit_exchange(RabbitPublisher& publisher, std::string exchange,
                                             std::string routing_key) {
  return std::make_unique<RabbitExchangeDestination>(publisher, std::move(exchange), std::move(routing_key));
}

std::unique_ptr<Destination> rabbit_queue(RabbitPublisher& publisher, std::string queue) {
  return rabbit_exchange(publisher, "", std::move(queue));
}

}  // namespace idem
