// A connection to RabbitMQ with one channel: what the programs on bare rabbitmq-c have in common.
#pragma once

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif

#include <stdexcept>
#include <string>

inline constexpr amqp_channel_t channel = 1;

inline amqp_bytes_t bytes(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string text(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

inline void check(amqp_rpc_reply_t reply, const char* what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error(std::string(what) + " failed");
}

class Connection {
 public:
  explicit Connection(std::string uri) {
    amqp_connection_info to;
    if (amqp_parse_url(uri.data(), &to)) throw std::runtime_error("this is no URI of a RabbitMQ");
    if (amqp_socket_open(amqp_tcp_socket_new(state_), to.host, to.port)) throw std::runtime_error("cannot connect");
    check(amqp_login(state_, to.vhost, 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN, to.user, to.password), "login");
    amqp_channel_open(state_, channel);
    check(amqp_get_rpc_reply(state_), "channel.open");
  }
  ~Connection() { amqp_destroy_connection(state_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  operator amqp_connection_state_t() const { return state_; }

 private:
  const amqp_connection_state_t state_ = amqp_new_connection();
};
