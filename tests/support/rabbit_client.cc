#include "rabbit_client.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string_view>

#include "rabbitmq/amqp_headers.h"

namespace idem::test {
namespace {

constexpr amqp_channel_t channel = 1;

amqp_bytes_t bytes(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string text(const amqp_bytes_t& b) { return {static_cast<const char*>(b.bytes), b.len}; }

std::vector<amqp_table_entry_t> entries(const RabbitArgs& arguments) {
  std::vector<amqp_table_entry_t> made;
  for (const auto& [name, value] : arguments) {
    amqp_table_entry_t entry;
    entry.key = bytes(name);
    if (auto* b = std::get_if<bool>(&value)) {
      entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
      entry.value.value.boolean = *b;
    } else if (auto* i = std::get_if<std::int64_t>(&value)) {
      entry.value.kind = AMQP_FIELD_KIND_I64;
      entry.value.value.i64 = *i;
    } else {
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = bytes(std::get<std::string>(value));
    }
    made.push_back(entry);
  }
  return made;
}

}  // namespace

RabbitClient::RabbitClient(const std::string& uri) : connection_(amqp_new_connection()) {
  std::string copy = uri;
  amqp_connection_info info;
  if (amqp_parse_url(copy.data(), &info) != AMQP_STATUS_OK) throw std::runtime_error("bad uri");
  amqp_socket_t* socket = amqp_tcp_socket_new(connection_);
  if (amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK) throw std::runtime_error("cannot connect");
  const auto reply = amqp_login(connection_, info.vhost, 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                                info.password);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error("login failed");
  amqp_channel_open(connection_, channel);
  check("channel.open");
  amqp_confirm_select(connection_, channel);
  check("confirm.select");
}

RabbitClient::~RabbitClient() {
  amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(connection_);
}

void RabbitClient::check(const std::string& what) {
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection_);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  std::string why = "connection lost";
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD)
    why = text(static_cast<amqp_channel_close_t*>(reply.reply.decoded)->reply_text);
  throw std::runtime_error(what + ": " + why);
}

void RabbitClient::declare_queue(const std::string& queue, const RabbitArgs& arguments, Lifetime lifetime) {
  auto table = entries(arguments);
  amqp_queue_declare(connection_, channel, bytes(queue), 0, lifetime.durable, 0, lifetime.auto_delete,
                     {static_cast<int>(table.size()), table.data()});
  check("queue.declare " + queue);
}

void RabbitClient::declare_exchange(const std::string& exchange, const std::string& type, bool durable,
                                    const RabbitArgs& arguments) {
  auto table = entries(arguments);
  amqp_exchange_declare(connection_, channel, bytes(exchange), bytes(type), 0, durable, 0, 0,
                        {static_cast<int>(table.size()), table.data()});
  check("exchange.declare " + exchange);
}

void RabbitClient::delete_queue(const std::string& queue) {
  amqp_queue_delete(connection_, channel, bytes(queue), 0, 0);
  check("queue.delete " + queue);
}

void RabbitClient::bind(const std::string& queue, const std::string& exchange, const std::string& key) {
  amqp_queue_bind(connection_, channel, bytes(queue), bytes(exchange), bytes(key), amqp_empty_table);
  check("queue.bind " + queue);
}

void RabbitClient::publish(const std::string& routing_key, const std::vector<RabbitMessage>& messages,
                           const std::string& exchange) {
  for (const RabbitMessage& message : messages) {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = 2;
    if (message.id) {
      properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
      properties.message_id = bytes(*message.id);
    }
    std::vector<amqp_table_entry_t> table;
    for (const auto& [name, value] : message.headers) {
      amqp_table_entry_t entry;
      entry.key = bytes(name);
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = bytes(value);
      table.push_back(entry);
    }
    if (!table.empty()) {
      properties._flags |= AMQP_BASIC_HEADERS_FLAG;
      properties.headers = {static_cast<int>(table.size()), table.data()};
    }
    if (message.timestamp) {
      properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
      properties.timestamp = *message.timestamp;
    }
    if (!message.expiration.empty()) {
      properties._flags |= AMQP_BASIC_EXPIRATION_FLAG;
      properties.expiration = bytes(message.expiration);
    }
    if (message.more) message.more(properties);
    const int status = amqp_basic_publish(connection_, channel, bytes(exchange), bytes(routing_key), /*mandatory=*/0, 0,
                                          &properties, bytes(message.payload));
    if (status != AMQP_STATUS_OK) throw std::runtime_error(std::string("publish: ") + amqp_error_string2(status));
  }
  first_unconfirmed_ = published_ + 1;
  published_ += messages.size();
  std::set<std::uint64_t> singly;
  while (first_unconfirmed_ <= published_) {
    amqp_frame_t frame;
    const timeval patience{60, 0};
    if (const int status = amqp_simple_wait_frame_noblock(connection_, &frame, &patience); status != AMQP_STATUS_OK)
      throw std::runtime_error(std::string("waiting for confirms: ") + amqp_error_string2(status));
    if (frame.frame_type == AMQP_FRAME_METHOD) {
      void* decoded = frame.payload.method.decoded;
      if (frame.payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const auto& ack = *static_cast<amqp_basic_ack_t*>(decoded);
        if (ack.multiple) first_unconfirmed_ = std::max(first_unconfirmed_, ack.delivery_tag + 1);
        else singly.insert(ack.delivery_tag);
        while (singly.erase(first_unconfirmed_) > 0) ++first_unconfirmed_;
      } else if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD) {
        throw std::runtime_error("publish: " + text(static_cast<amqp_channel_close_t*>(decoded)->reply_text));
      } else if (frame.payload.method.id == AMQP_BASIC_NACK_METHOD) {
        throw std::runtime_error("publish: refused");
      }
    }
    amqp_maybe_release_buffers(connection_);
  }
}

RabbitClient::Length RabbitClient::length(const std::string& queue) {
  for (int tries = 0; tries < 100; ++tries) {
    const auto asked = std::chrono::steady_clock::now();
    const amqp_queue_declare_ok_t* found =
        amqp_queue_declare(connection_, channel, bytes(queue), /*passive=*/1, 0, 0, 0, amqp_empty_table);
    check("queue.declare " + queue);
    const Length length{static_cast<int>(found->message_count), static_cast<int>(found->consumer_count)};
    // A quorum queue whose leader has not answered for 250 ms is said to have nothing.
    const bool guessed = std::chrono::steady_clock::now() - asked >= std::chrono::milliseconds(250);
    if (!guessed || length.ready > 0 || length.consumers > 0) return length;
  }
  throw std::runtime_error("queue.declare " + queue + ": the queue's leader does not answer");
}

std::string RabbitClient::server_version() {
  const amqp_table_t& properties = *amqp_get_server_properties(connection_);
  for (int i = 0; i < properties.num_entries; ++i) {
    const amqp_bytes_t key = properties.entries[i].key, value = properties.entries[i].value.value.bytes;
    if (std::string_view(static_cast<const char*>(key.bytes), key.len) == "version")
      return std::string(static_cast<const char*>(value.bytes), value.len);
  }
  return {};
}

int RabbitClient::ready(const std::string& queue) { return length(queue).ready; }
int RabbitClient::consumers(const std::string& queue) { return length(queue).consumers; }

std::optional<RabbitClient::Got> RabbitClient::get(const std::string& queue) {
  const amqp_rpc_reply_t reply = amqp_basic_get(connection_, channel, bytes(queue), /*no_ack=*/0);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error("basic.get " + queue);
  if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return std::nullopt;
  Got got;
  got.redelivered = static_cast<amqp_basic_get_ok_t*>(reply.reply.decoded)->redelivered;
  amqp_message_t message;
  if (amqp_read_message(connection_, channel, &message, 0).reply_type != AMQP_RESPONSE_NORMAL)
    throw std::runtime_error("basic.get " + queue + ": no body");
  got.payload = text(message.body);
  if (message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) got.id = text(message.properties.message_id);
  amqp_destroy_message(&message);
  return got;
}

}  // namespace idem::test
