#include "support/rabbit_broker.h"

#include <chrono>
#include <stdexcept>
#include <thread>

#include "kills/broker.h"
#include "support/rabbit_client.h"

namespace idem::kills {
namespace {

using namespace std::chrono_literals;

class Rabbit final : public Broker {
 public:
  Rabbit() : server_(test::RabbitBroker::shared()), client_(server_.uri()) {}

  std::vector<Kind> kinds() const override {
    return {{"by_key", "classic"}, {"by_partition", "quorum"}, {"unordered", "classic"}, {"by_partition", "classic"},
            {"by_key", "quorum"}};
  }
  std::int32_t partitions() const override { return 1; }

  void create(const std::string& queue, const Kind& kind) override {
    next_ = 0;
    // A message that is under way at many kills must not be dropped for that.
    // RabbitMQ 4 drops it from a quorum queue after 20, unless told otherwise.
    test::RabbitArgs arguments{{"x-queue-type", std::string(kind.mode)}};
    if (std::string_view(kind.mode) == "quorum") arguments["x-delivery-limit"] = std::int64_t{1'000'000};
    client_.declare_queue(queue, arguments);
  }

  // The place of a message in the queue goes with it: what a consumer writes of it says where it lay.
  std::vector<test::Position> produce(const std::string& queue, const std::vector<test::Record>& records) override {
    std::vector<test::Position> positions;
    std::vector<test::RabbitMessage> messages;
    for (const test::Record& record : records) {
      positions.push_back({0, next_++});
      test::RabbitMessage& message = messages.emplace_back();
      message.payload = record.payload.value_or("");
      message.headers = {{"place", std::to_string(positions.back().offset)}, {"key", record.key.value_or("")}};
      for (const auto& [name, value] : record.headers) message.headers.emplace_back(name, value.value_or(""));
      if (record.timestamp_ms) message.timestamp = static_cast<std::uint64_t>(*record.timestamp_ms / 1'000);
    }
    client_.publish(queue, messages);
    return positions;
  }

  // The server sees the death of a consumer a little later, and puts back what that had not acknowledged.
  Told told(const std::string&, const std::string& queue) override {
    for (int tries = 0; client_.consumers(queue) > 0; ++tries) {
      if (tries == 1'000) throw std::runtime_error("the server does not notice that the consumer is dead");
      std::this_thread::sleep_for(10ms);
    }
    Told told;
    told.left = static_cast<std::size_t>(settled_length(queue));
    return told;
  }

  std::vector<std::string> arguments() const override { return {"uri=" + server_.uri()}; }
  bool reaches(std::string_view failpoint) const override {
    return failpoint != "source.committed" && failpoint != "source.revoke_begin" && failpoint != "source.revoke_end";
  }

 private:
  int settled_length(const std::string& queue) {
    int length = client_.ready(queue), same = 0;
    while (same < 5) {
      std::this_thread::sleep_for(10ms);
      const int now = client_.ready(queue);
      same = now == length ? same + 1 : 0;
      length = now;
    }
    return length;
  }

  test::RabbitBroker& server_;
  test::RabbitClient client_;
  std::int64_t next_ = 0;
};

}  // namespace

std::unique_ptr<Broker> make_rabbitmq() { return std::make_unique<Rabbit>(); }

}  // namespace idem::kills
