// One connection to a RabbitMQ server: rabbitmq-c's handle, how it is opened and closed, and what its errors say.
//
// One thread uses a Connection at a time. Channel 1 consumes; channel 2 is for declarations, which the server answers
// by closing the channel if it does not like them.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "rabbitmq/server.h"

struct amqp_connection_state_t_;

namespace idem::rabbit {

constexpr std::uint16_t consuming_channel = 1, declaring_channel = 2;

/// Not to be had. `code` is the server's reply code (403, 404, 405, 406, 530 …); 0: it could not be talked to.
class Failure : public std::runtime_error {
 public:
  Failure(int reply_code, const std::string& what, std::string server_text = {})
      : std::runtime_error(what), code(reply_code), text(std::move(server_text)) {}
  int code;
  std::string text;  ///< the server's own words
};

class Connection {
 public:
  /// Connects and logs in. Throws Failure; takes some seconds at most. `server` outlives it.
  Connection(const Server& server, const Address& address);
  /// Drops it, if close() was not called.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  amqp_connection_state_t_* get() const { return state_; }
  int socket() const;
  int heartbeat() const { return heartbeat_; }  ///< seconds, as agreed with the server
  const Address& address() const { return address_; }
  std::string server_version() const;  ///< "4.0.5"; empty: it does not say
  const Owner& owner() const { return server_.owner; }

  void open_channel(std::uint16_t channel);
  void close_channel(std::uint16_t channel);
  /// Answers the server's close of it, so that it can be opened again.
  void channel_was_closed(std::uint16_t channel);
  /// After an rpc of rabbitmq-c: throws Failure if it went wrong, and answers the server's close of the channel.
  void check(const std::string& what);
  /// Says goodbye, reads on until the server has said it too and throws away what comes. At most some seconds.
  void close() noexcept;
  /// The connection is gone: close() has nothing to say any more.
  void is_dead() { dead_ = true; }
  bool dead() const { return dead_; }

 private:
  void open_socket();
  void log_in();

  const Server& server_;
  amqp_connection_state_t_* state_ = nullptr;
  const Address address_;
  int heartbeat_ = 0;
  bool dead_ = false;
};

}  // namespace idem::rabbit
