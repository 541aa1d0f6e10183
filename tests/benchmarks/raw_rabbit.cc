#include "benchmarks/raw_rabbit.h"

#include <ctime>
#include <set>
#include <stdexcept>

#include "benchmarks/rows.h"
#include "rabbitmq/amqp_headers.h"

namespace idem::bench {
namespace {

using rabbit::bytes;

constexpr amqp_channel_t channel = 1;
constexpr int frame_max = 131'072;

/// A connection with one channel.
class Connection {
 public:
  explicit Connection(std::string uri) : state_(amqp_new_connection()) {
    amqp_connection_info to;
    if (amqp_parse_url(uri.data(), &to) != AMQP_STATUS_OK) throw std::runtime_error("bad uri");
    amqp_socket_t* socket = amqp_tcp_socket_new(state_);
    if (amqp_socket_open(socket, to.host, to.port) != AMQP_STATUS_OK) throw std::runtime_error("cannot connect");
    check(amqp_login(state_, to.vhost, 0, frame_max, 0, AMQP_SASL_METHOD_PLAIN, to.user, to.password), "login");
    amqp_channel_open(state_, channel);
    check("channel.open");
  }
  ~Connection() { amqp_destroy_connection(state_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  amqp_connection_state_t get() const { return state_; }
  void check(const char* what) { check(amqp_get_rpc_reply(state_), what); }
  void check(const amqp_rpc_reply_t& reply, const char* what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error(std::string(what) + " failed");
  }
  void check(int status, const char* what) {
    if (status != AMQP_STATUS_OK) throw std::runtime_error(std::string(what) + ": " + amqp_error_string2(status));
  }
  /// The server has read everything that was sent when this returns.
  void close() { check(amqp_connection_close(state_, AMQP_REPLY_SUCCESS), "connection.close"); }

 private:
  const amqp_connection_state_t state_;
};

/// Which of the messages sent have been confirmed.
class Confirms {
 public:
  void sent() { unconfirmed_.insert(unconfirmed_.end(), ++last_); }
  std::size_t outstanding() const { return unconfirmed_.size(); }

  /// Takes what the server says; waits for it if `wait`. False: there was nothing.
  bool read(Connection& connection, bool wait) {
    const timeval patience{wait ? 60 : 0, 0};
    amqp_frame_t frame;
    const int status = amqp_simple_wait_frame_noblock(connection.get(), &frame, &patience);
    if (status == AMQP_STATUS_TIMEOUT && !wait) return false;
    connection.check(status, "waiting for confirms");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
      throw std::runtime_error("something other than a confirm");
    const auto& ack = *static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    if (ack.multiple)
      unconfirmed_.erase(unconfirmed_.begin(), unconfirmed_.upper_bound(ack.delivery_tag));
    else
      unconfirmed_.erase(ack.delivery_tag);
    return true;
  }

 private:
  std::set<std::uint64_t> unconfirmed_;
  std::uint64_t last_ = 0;
};

}  // namespace

std::string message_id(std::size_t number) { return hex(uuid(number)); }

void consume_raw(const std::string& uri, const std::string& queue, std::size_t count, const RawHandler& handler) {
  Connection connection(uri);
  amqp_basic_qos(connection.get(), channel, 0, prefetch, /*global=*/0);
  connection.check("basic.qos");
  amqp_basic_consume(connection.get(), channel, bytes(queue), amqp_empty_bytes, /*no_local=*/0, /*no_ack=*/0,
                     /*exclusive=*/0, amqp_empty_table);
  connection.check("basic.consume");
  for (std::size_t done = 0; done < count;) {
    amqp_maybe_release_buffers(connection.get());
    amqp_envelope_t envelope;
    const timeval patience{60, 0};
    connection.check(amqp_consume_message(connection.get(), &envelope, &patience, 0), "consuming");
    const amqp_bytes_t& id = envelope.message.properties.message_id;
    handler.message({static_cast<const char*>(id.bytes), id.len});
    if (++done % handler.acks_every == 0 || done == count) {
      handler.before_ack();
      connection.check(amqp_basic_ack(connection.get(), channel, envelope.delivery_tag, /*multiple=*/1), "basic.ack");
    }
    amqp_destroy_envelope(&envelope);
  }
  connection.close();
}

void publish_raw(const std::string& uri, const std::string& exchange, const std::string& routing_key,
                 std::size_t count) {
  Connection connection(uri);
  amqp_confirm_select(connection.get(), channel);
  connection.check("confirm.select");
  Confirms confirms;
  for (std::size_t i = 0; i < count || confirms.outstanding() > 0;) {
    while (i < count && confirms.outstanding() < window) {
      const std::string id = message_id(i), body = payload(i++);
      amqp_basic_properties_t properties{};
      properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
      properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
      properties.message_id = bytes(id);
      properties.timestamp = static_cast<std::uint64_t>(std::time(nullptr));
      connection.check(amqp_basic_publish(connection.get(), channel, bytes(exchange), bytes(routing_key),
                                          /*mandatory=*/1, 0, &properties, bytes(body)),
                       "basic.publish");
      confirms.sent();
    }
    for (bool wait = true; confirms.outstanding() > 0 && confirms.read(connection, wait);) wait = false;
    amqp_maybe_release_buffers(connection.get());
  }
  connection.close();
}

}  // namespace idem::bench
