#include "publishers/rabbitmq/message_writer.h"

#include <algorithm>
#include <optional>

#include "rabbitmq/amqp_headers.h"
#include "rabbitmq/argument_table.h"
#include "rabbitmq/server.h"

namespace idem::rabbit {
namespace {

constexpr std::size_t largest_properties = 120'000, frame_overhead = 64;

std::size_t size_of(const RabbitArguments& headers) {
  std::size_t size = 0;
  for (const auto& [name, value] : headers) {
    const auto* text = std::get_if<std::string>(&value);
    size += 1 + name.size() + 1 + (text ? 4 + text->size() : 8);
  }
  return size;
}

}  // namespace

std::string defect_of(const RabbitOutgoing& m) {
  const std::pair<const char*, const std::string*> short_strings[] = {{"id", &m.id},
                                                                      {"exchange", &m.exchange},
                                                                      {"routing_key", &m.routing_key},
                                                                      {"content_type", &m.content_type},
                                                                      {"content_encoding", &m.content_encoding},
                                                                      {"correlation_id", &m.correlation_id},
                                                                      {"reply_to", &m.reply_to},
                                                                      {"type", &m.type},
                                                                      {"app_id", &m.app_id}};
  for (const auto& [member, value] : short_strings)
    if (value->size() > longest_name)
      return std::string("RabbitOutgoing::") + member + " has " + std::to_string(value->size()) +
             " bytes, AMQP allows 255; shorten it";
  for (const auto& [name, value] : m.headers)
    if (name.empty() || name.size() > longest_name)
      return "RabbitOutgoing::headers has a name of " + std::to_string(name.size()) + " bytes, AMQP allows 1 to 255";
  if (const auto size = size_of(m.headers); size > largest_properties)
    return "RabbitOutgoing::headers has " + std::to_string(size) + " bytes, which does not fit into an AMQP frame (" +
           std::to_string(largest_properties) + "); move some of it into the payload";
  if (m.expiration && m.expiration->count() < 0) return "RabbitOutgoing::expiration is negative";
  return "";
}

struct MessageWriter::State {
  enum class Next { nothing, method, header, body };
  Next next = Next::nothing;
  const RabbitOutgoing* message = nullptr;
  std::size_t body_sent = 0;
  std::string expiration;
  std::optional<ArgumentTable> headers;
  amqp_basic_publish_t publish{};
  amqp_basic_properties_t properties{};

  void set(amqp_flags_t flag, amqp_bytes_t& property, const std::string& value) {
    if (value.empty()) return;
    properties._flags |= flag;
    property = bytes(value);
  }
};

MessageWriter::MessageWriter() : state_(std::make_unique<State>()) {}
MessageWriter::~MessageWriter() = default;

void MessageWriter::begin(const RabbitOutgoing& m) {
  State& s = *state_;
  s.message = &m;
  s.next = State::Next::method;
  s.body_sent = 0;
  s.publish = {};
  s.publish.exchange = bytes(m.exchange);
  s.publish.routing_key = bytes(m.routing_key);
  s.publish.mandatory = 1;

  amqp_basic_properties_t& p = s.properties;
  p = {};
  p._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  p.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  p.timestamp =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(*m.timestamp).time_since_epoch().count());
  s.set(AMQP_BASIC_MESSAGE_ID_FLAG, p.message_id, m.id);
  s.set(AMQP_BASIC_CONTENT_TYPE_FLAG, p.content_type, m.content_type);
  s.set(AMQP_BASIC_CONTENT_ENCODING_FLAG, p.content_encoding, m.content_encoding);
  s.set(AMQP_BASIC_CORRELATION_ID_FLAG, p.correlation_id, m.correlation_id);
  s.set(AMQP_BASIC_REPLY_TO_FLAG, p.reply_to, m.reply_to);
  s.set(AMQP_BASIC_TYPE_FLAG, p.type, m.type);
  s.set(AMQP_BASIC_APP_ID_FLAG, p.app_id, m.app_id);
  s.expiration = m.expiration ? std::to_string(m.expiration->count()) : "";
  s.set(AMQP_BASIC_EXPIRATION_FLAG, p.expiration, s.expiration);
  if (m.priority) {
    p._flags |= AMQP_BASIC_PRIORITY_FLAG;
    p.priority = *m.priority;
  }
  s.headers.reset();
  if (!m.headers.empty()) {
    p._flags |= AMQP_BASIC_HEADERS_FLAG;
    p.headers = s.headers.emplace(m.headers).get();
  }
}

void MessageWriter::give_up() { state_->next = State::Next::nothing; }
bool MessageWriter::busy() const { return state_->next != State::Next::nothing; }

std::size_t MessageWriter::next_size() const {
  const State& s = *state_;
  switch (s.next) {
    case State::Next::nothing:
      return 0;
    case State::Next::method:
      return frame_overhead + s.message->exchange.size() + s.message->routing_key.size();
    case State::Next::header:
      return 10 * frame_overhead + size_of(s.message->headers);
    case State::Next::body:
      return frame_overhead + std::min(body_piece, s.message->payload.size() - s.body_sent);
  }
  return 0;
}

int MessageWriter::send_frame(amqp_connection_state_t connection, std::uint16_t channel) {
  State& s = *state_;
  const std::string& payload = s.message->payload;
  amqp_frame_t frame{};
  frame.channel = channel;
  if (s.next == State::Next::method) {
    s.next = State::Next::header;
    frame.frame_type = AMQP_FRAME_METHOD;
    frame.payload.method.id = AMQP_BASIC_PUBLISH_METHOD;
    frame.payload.method.decoded = &s.publish;
  } else if (s.next == State::Next::header) {
    s.next = payload.empty() ? State::Next::nothing : State::Next::body;
    frame.frame_type = AMQP_FRAME_HEADER;
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = payload.size();
    frame.payload.properties.decoded = &s.properties;
  } else {
    const std::size_t piece = std::min(body_piece, payload.size() - s.body_sent);
    frame.frame_type = AMQP_FRAME_BODY;
    frame.payload.body_fragment = {piece, const_cast<char*>(payload.data()) + s.body_sent};
    s.body_sent += piece;
    if (s.body_sent == payload.size()) s.next = State::Next::nothing;
  }
  return amqp_send_frame(connection, &frame);
}

}  // namespace idem::rabbit
