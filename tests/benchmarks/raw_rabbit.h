// What is written on bare rabbitmq-c where idem would be used: the baselines of the RabbitMQ benchmarks. As good as
// they can be made without becoming a framework: a prefetch, acknowledgements in hundreds, a window of confirms.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace idem::bench {

inline constexpr std::size_t prefetch = 1'000, acks_at_once = 100, window = 2'000;

/// The message_id of the message of this number: random, 32 characters.
std::string message_id(std::size_t number);

/// What a loop does besides reading.
struct RawHandler {
  std::size_t acks_every = acks_at_once;
  std::function<void(std::string_view id)> message = [](std::string_view) {};
  std::function<void()> before_ack = [] {};
};

/// Reads `count` messages from the queue, one after another, acknowledges them with `multiple` and says goodbye; the
/// server has the acknowledgements when it returns. Throws std::runtime_error.
void consume_raw(const std::string& uri, const std::string& queue, std::size_t count, const RawHandler& handler = {});

/// Sends the messages 0 … count-1: persistent, mandatory, with message_id and timestamp. Returns when every one is
/// confirmed. Throws std::runtime_error.
void publish_raw(const std::string& uri, const std::string& exchange, const std::string& routing_key,
                 std::size_t count);

}  // namespace idem::bench
