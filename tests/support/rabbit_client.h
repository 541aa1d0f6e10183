// A publisher and looker-on for tests on bare rabbitmq-c: it shares no code with idem's RabbitMQ source, so that what it
// sees is evidence.
//
// One thread. Every call throws std::runtime_error with the server's words when it is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

struct amqp_basic_properties_t_;
struct amqp_connection_state_t_;

namespace idem::test {

using RabbitArgs = std::map<std::string, std::variant<bool, std::int64_t, std::string>>;

struct RabbitMessage {
  std::string payload = {};
  std::optional<std::string> id = {};  // the message_id property
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<std::uint64_t> timestamp = {};  // seconds
  std::string expiration = {};                  // milliseconds
  // Sets whatever else the test is about; what it points to must live until publish() returns.
  std::function<void(amqp_basic_properties_t_&)> more = {};
};

class RabbitClient {
 public:
  explicit RabbitClient(const std::string& uri);
  ~RabbitClient();
  RabbitClient(const RabbitClient&) = delete;
  RabbitClient& operator=(const RabbitClient&) = delete;

  struct Lifetime {
    bool durable = true, auto_delete = false;
  };
  void declare_queue(const std::string& queue, const RabbitArgs& arguments = {}) { declare_queue(queue, arguments, {}); }
  void declare_queue(const std::string& queue, const RabbitArgs& arguments, Lifetime lifetime);
  void declare_exchange(const std::string& exchange, const std::string& type, bool durable = true,
                        const RabbitArgs& arguments = {});
  void delete_queue(const std::string& queue);
  void bind(const std::string& queue, const std::string& exchange, const std::string& key = "");

  // Persistent, to the queue of that name unless an exchange is given; returns when the server has confirmed all.
  void publish(const std::string& routing_key, const std::vector<RabbitMessage>& messages,
               const std::string& exchange = "");

  std::string server_version();

  // Messages ready; those with a consumer are not counted.
  int ready(const std::string& queue);
  int consumers(const std::string& queue);
  // Takes one without acknowledging it, with its redelivered flag; nullopt: there is none.
  struct Got {
    std::string payload;
    std::optional<std::string> id;  // the message_id property
    bool redelivered = false;
  };
  std::optional<Got> get(const std::string& queue);

 private:
  void check(const std::string& what);
  struct Length { int ready, consumers; };
  Length length(const std::string& queue);

  amqp_connection_state_t_* connection_ = nullptr;
  std::uint64_t published_ = 0, first_unconfirmed_ = 1;
};

}  // namespace idem::test
