#include "rabbitmq/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <vector>

#include "rabbitmq/amqp_headers.h"

namespace idem::rabbit {
namespace {

using std::chrono::steady_clock;

constexpr timeval connect_patience{5, 0}, answer_patience{10, 0};
constexpr std::chrono::seconds close_patience{3};
constexpr int frame_size = 131'072;

amqp_table_entry_t entry(const char* name, bool value) {
  amqp_table_entry_t made;
  made.key = amqp_cstring_bytes(name);
  made.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  made.value.value.boolean = value;
  return made;
}

amqp_table_entry_t entry(const char* name, const std::string& value) {
  amqp_table_entry_t made;
  made.key = amqp_cstring_bytes(name);
  made.value.kind = AMQP_FIELD_KIND_UTF8;
  made.value.value.bytes = amqp_cstring_bytes(value.c_str());
  return made;
}

std::string library_error(int status) { return amqp_error_string2(status); }

}  // namespace

Connection::Connection(const Server& server, const Address& address)
    : server_(server), state_(amqp_new_connection()), address_(address) {
  if (!state_) throw std::bad_alloc();
  try {
    open_socket();
    log_in();
  } catch (...) {
    amqp_destroy_connection(state_);
    throw;
  }
}

Connection::~Connection() { amqp_destroy_connection(state_); }

int Connection::socket() const { return amqp_get_sockfd(state_); }

void Connection::open_socket() {
  const auto fail = [this](const std::string& member, const std::string& file) {
    throw Failure(0, owner().member("tls." + member) + " \"" + file + "\" cannot be read or is no good PEM");
  };
  amqp_socket_t* socket = server_.uri.tls ? amqp_ssl_socket_new(state_) : amqp_tcp_socket_new(state_);
  if (!socket) throw std::bad_alloc();
  if (server_.uri.tls) {
    const RabbitTls& tls = server_.tls;
    amqp_ssl_socket_set_verify_peer(socket, tls.verify);
    amqp_ssl_socket_set_verify_hostname(socket, tls.verify);
    if (!tls.ca_file.empty() && amqp_ssl_socket_set_cacert(socket, tls.ca_file.c_str()) != AMQP_STATUS_OK)
      fail("ca_file", tls.ca_file);
    if (!tls.certificate_file.empty() &&
        amqp_ssl_socket_set_key(socket, tls.certificate_file.c_str(), tls.key_file.c_str()) != AMQP_STATUS_OK)
      fail("certificate_file", tls.certificate_file);
    amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
  }
  const int status = amqp_socket_open_noblock(socket, address_.host.c_str(), address_.port, &connect_patience);
  if (status != AMQP_STATUS_OK)
    throw Failure(0, "cannot connect to " + address_.to_string() + ": " + library_error(status));
  // Sending waits without a limit inside rabbitmq-c; a peer that takes nothing any more is given up by the kernel.
  const auto limit = static_cast<unsigned>(
      std::chrono::milliseconds(2 * server_.heartbeat).count());
  setsockopt(this->socket(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

void Connection::log_in() {
  amqp_set_handshake_timeout(state_, &answer_patience);
  amqp_set_rpc_timeout(state_, &answer_patience);
  std::vector<amqp_table_entry_t> capabilities = {
      entry("consumer_cancel_notify", true), entry("connection.blocked", true), entry("basic.nack", true),
      entry("authentication_failure_close", true)};
  const std::string name = "idem " + server_.connection_name;
  std::vector<amqp_table_entry_t> properties = {entry("connection_name", name), {}};
  properties.back().key = amqp_cstring_bytes("capabilities");
  properties.back().value.kind = AMQP_FIELD_KIND_TABLE;
  properties.back().value.value.table = {static_cast<int>(capabilities.size()), capabilities.data()};
  const amqp_table_t table{static_cast<int>(properties.size()), properties.data()};
  const Uri& uri = server_.uri;
  const std::string password = server_.password();
  const amqp_rpc_reply_t reply = amqp_login_with_properties(
      state_, uri.vhost.c_str(), /*channel_max=*/16, frame_size, static_cast<int>(server_.heartbeat.count()),
      &table, AMQP_SASL_METHOD_PLAIN, uri.user.c_str(), password.c_str());
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
    heartbeat_ = amqp_get_heartbeat(state_);
    return;
  }
  const std::string where = address_.to_string() + " (user \"" + uri.user + "\", vhost \"" + uri.vhost + "\")";
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto& close = *static_cast<amqp_connection_close_t*>(reply.reply.decoded);
    const std::string said = text(close.reply_text);
    const std::string member =
        close.reply_code == 403   ? "; check the user and the password in " + owner().member("uri")
        : close.reply_code == 530 ? "; check the vhost in " + owner().member("uri") + " and the user's rights in it"
                                  : "";
    throw Failure(close.reply_code, "RabbitMQ refuses the login at " + where + ": " + said + member, said);
  }
  throw Failure(0, "the login at " + where + " failed: " + library_error(reply.library_error));
}

std::string Connection::server_version() const {
  const amqp_table_t& properties = *amqp_get_server_properties(state_);
  for (int i = 0; i < properties.num_entries; ++i)
    if (const auto& [key, value] = properties.entries[i]; view(key) == "version" && value.kind == AMQP_FIELD_KIND_UTF8)
      return text(value.value.bytes);
  return {};
}

void Connection::open_channel(std::uint16_t channel) {
  amqp_channel_open(state_, channel);
  check("cannot open a channel");
}

void Connection::close_channel(std::uint16_t channel) {
  amqp_channel_close(state_, channel, AMQP_REPLY_SUCCESS);
  check("cannot close a channel");
}

void Connection::channel_was_closed(std::uint16_t channel) {
  amqp_channel_close_ok_t ok{};
  amqp_send_method(state_, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
  amqp_maybe_release_buffers(state_);
}

void Connection::check(const std::string& what) {
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(state_);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) {
    dead_ = true;
    throw Failure(0, what + ": the connection to " + address_.to_string() + " failed: " +
                         library_error(reply.library_error));
  }
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto& close = *static_cast<amqp_channel_close_t*>(reply.reply.decoded);
    const std::string said = text(close.reply_text);
    // Which channel it was is not in the reply: only one at a time is used for calls.
    throw Failure(close.reply_code, what + ": " + said, said);
  }
  const auto& close = *static_cast<amqp_connection_close_t*>(reply.reply.decoded);
  const std::string said = text(close.reply_text);
  dead_ = true;
  throw Failure(close.reply_code, what + ": RabbitMQ closed the connection: " + said, said);
}

// rabbitmq-c's own close keeps every frame that comes before the answer, which may be a whole prefetch of messages.
void Connection::close() noexcept {
  if (dead_) return;
  dead_ = true;
  amqp_connection_close_t goodbye{};
  goodbye.reply_code = AMQP_REPLY_SUCCESS;
  goodbye.reply_text = amqp_cstring_bytes("bye");
  if (amqp_send_method(state_, 0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye) != AMQP_STATUS_OK) return;
  const auto deadline = steady_clock::now() + close_patience;
  while (steady_clock::now() < deadline) {
    const timeval wait{0, 100'000};
    amqp_frame_t frame;
    const int status = amqp_simple_wait_frame_noblock(state_, &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT) continue;
    if (status != AMQP_STATUS_OK) return;
    if (frame.frame_type == AMQP_FRAME_METHOD && frame.channel == 0 &&
        (frame.payload.method.id == AMQP_CONNECTION_CLOSE_OK_METHOD ||
         frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD))
      return;
    amqp_maybe_release_buffers(state_);
  }
}

}  // namespace idem::rabbit
