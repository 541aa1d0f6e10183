// Writes one message to a channel frame by frame, so that between two frames the connection can be read and a server
// that takes nothing any more is noticed instead of waited for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <idem/rabbitmq_publisher.h>

struct amqp_connection_state_t_;

namespace idem::rabbit {

/// Largest piece of a body in one frame. Well below frame_max: it has to fit into what a socket has room for once it is
/// writable.
constexpr std::size_t body_piece = 64 << 10;

/// Why AMQP cannot carry the message; "" if it can.
std::string defect_of(const RabbitOutgoing& message);

class MessageWriter {
 public:
  MessageWriter();
  ~MessageWriter();
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

  /// Borrows the message until it is written or given up.
  void begin(const RabbitOutgoing& message);
  void give_up();
  bool busy() const;
  /// Sends the next frame; the last one ends busy(). Answers rabbitmq-c's status.
  int send_frame(amqp_connection_state_t_* connection, std::uint16_t channel);
  /// Bytes of the next frame, about.
  std::size_t next_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace idem::rabbit
