// The suite of sources that acknowledge, on a real RabbitMQ.
#include <idem/rabbitmq.h>

#include "ack_source_suite.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/require.h"
#include "support/tcp_proxy.h"
#include "support/unique_name.h"

namespace idem::conformance {
namespace {

class RabbitPlace final : public AckPlace {
 public:
  explicit RabbitPlace(const std::string& type) {
    queue_ = test::unique_name("suite");
    client_.declare_queue(queue_, {{"x-queue-type", type}});
  }
  ~RabbitPlace() override { client_.delete_queue(queue_); }

  std::string topic() const override { return queue_; }
  std::unique_ptr<Source> make_source() override {
    RabbitOptions options;
    options.uri = "amqp://127.0.0.1:" + std::to_string(wire_.port());
    options.queue = queue_;
    options.wait_for_queue = 500ms;
    return std::make_unique<RabbitSource>(options);
  }
  void append(const std::vector<Copy>& messages) override {
    std::vector<test::RabbitMessage> made;
    for (const Copy& message : messages) {
      made.push_back({.payload = message.payload.value_or("")});
      for (const auto& [name, value] : message.headers) made.back().headers.emplace_back(name, value.value_or(""));
    }
    client_.publish(queue_, made);
  }
  int left() override { return client_.ready(queue_); }
  bool interrupt() override {
    wire_.cut();
    return true;
  }

 private:
  test::TcpProxy wire_{test::RabbitBroker::shared().port()};
  test::RabbitClient client_{test::RabbitBroker::shared().uri()};
  std::string queue_;
};

std::optional<std::string> rabbit_missing() {
  auto reason = test::RabbitBroker::unavailable();
  if (reason && test::required("rabbitmq")) throw std::runtime_error("rabbitmq is required, but " + *reason);
  return reason;
}

INSTANTIATE_TEST_SUITE_P(
    Sources, AckSourceSuite,
    testing::Values(AckPlaceFactory{"rabbitmq_classic", [] { return std::make_unique<RabbitPlace>("classic"); }, rabbit_missing},
                    AckPlaceFactory{"rabbitmq_quorum", [] { return std::make_unique<RabbitPlace>("quorum"); }, rabbit_missing}),
    ack_place_name);

}  // namespace
}  // namespace idem::conformance
