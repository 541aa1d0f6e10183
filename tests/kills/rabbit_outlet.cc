#include "kills/outlet.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"

namespace idem::kills {
namespace {

class RabbitOutlet final : public Outlet {
 public:
  explicit RabbitOutlet(std::string type) : type_(std::move(type)) {}

  std::string kind() const override { return type_ + " queue"; }
  void create(const std::string& name) override { client_.declare_queue(name, {{"x-queue-type", type_}}); }
  std::vector<std::string> arguments(const std::string& name) const override {
    return {"relay_uri=" + server_.uri(), "relay_to=" + name};
  }
  std::vector<Relayed> take_all(const std::string& name) override {
    std::vector<Relayed> all;
    // A queue keeps the order of all keys alike.
    while (const auto got = client_.get(name)) all.push_back({got->id.value_or(""), got->payload, "all"});
    return all;
  }

 private:

  const std::string type_;
  test::RabbitBroker& server_ = test::RabbitBroker::shared();
  test::RabbitClient client_{server_.uri()};
};

}  // namespace

std::unique_ptr<Outlet> make_rabbit_outlet(const std::string& queue_type) {
  return std::make_unique<RabbitOutlet>(queue_type);
}

}  // namespace idem::kills
