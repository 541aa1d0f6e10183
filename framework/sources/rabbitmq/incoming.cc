#include "sources/rabbitmq/incoming.h"

#include <algorithm>

#include "rabbitmq/amqp_headers.h"
#include "sources/rabbitmq/rabbit_table.h"

namespace idem::rabbit {
namespace {

constexpr std::size_t largest_kept = 1 << 20;
/// The size in a header is taken at its word only up to here; beyond it memory comes with the body.
constexpr std::uint64_t largest_reserved = 16 << 20;
/// Seconds; the year 9999. Whoever stamps milliseconds here is not to overflow anything.
constexpr std::uint64_t latest = 253'402'300'799;

}  // namespace

void Incoming::reset() { stage_ = Stage::nothing; }

void Incoming::begin(const amqp_basic_deliver_t& delivery) {
  stage_ = Stage::header;
  tag_ = delivery.delivery_tag;
  redelivered_ = delivery.redelivered;
  exchange_ = view(delivery.exchange);
  routing_key_ = view(delivery.routing_key);
  text_.clear();
  fields_.clear();
  timestamp_.reset();
  if (body_.capacity() > largest_kept) body_.shrink_to_fit();
  body_.clear();
}

void Incoming::properties(const amqp_basic_properties_t& p, std::uint64_t body_size) {
  if (stage_ != Stage::header) return;
  stage_ = Stage::body;
  body_size_ = body_size;
  body_.reserve(static_cast<std::size_t>(std::min(body_size, largest_reserved)));
  const auto has = [&p](amqp_flags_t flag) { return (p._flags & flag) != 0; };
  if (has(AMQP_BASIC_HEADERS_FLAG))
    for (int i = 0; i < p.headers.num_entries; ++i)
      add(view(p.headers.entries[i].key), p.headers.entries[i].value);
  // After the table: of two headers with one name the last one counts, and a property is not to be hidden by the table.
  const auto text = [&](amqp_flags_t flag, std::string_view name, const amqp_bytes_t& value) {
    if (has(flag)) add(name, view(value));
  };
  text(AMQP_BASIC_MESSAGE_ID_FLAG, "message_id", p.message_id);
  text(AMQP_BASIC_CORRELATION_ID_FLAG, "correlation_id", p.correlation_id);
  text(AMQP_BASIC_REPLY_TO_FLAG, "reply_to", p.reply_to);
  text(AMQP_BASIC_TYPE_FLAG, "type", p.type);
  text(AMQP_BASIC_APP_ID_FLAG, "app_id", p.app_id);
  text(AMQP_BASIC_USER_ID_FLAG, "user_id", p.user_id);
  text(AMQP_BASIC_CONTENT_TYPE_FLAG, "content_type", p.content_type);
  text(AMQP_BASIC_CONTENT_ENCODING_FLAG, "content_encoding", p.content_encoding);
  text(AMQP_BASIC_EXPIRATION_FLAG, "expiration", p.expiration);
  if (has(AMQP_BASIC_PRIORITY_FLAG)) add_number("priority", p.priority);
  if (has(AMQP_BASIC_DELIVERY_MODE_FLAG)) add_number("delivery_mode", p.delivery_mode);
  if (has(AMQP_BASIC_TIMESTAMP_FLAG))
    timestamp_ = Timestamp(std::chrono::seconds(std::min(p.timestamp, latest)));
  add("exchange", exchange_);
  add("routing_key", routing_key_);
  if (redelivered_) add("redelivered", "true");
}

void Incoming::body(std::string_view bytes) {
  if (stage_ == Stage::body) body_ += bytes;
}

void Incoming::add(std::string_view name, std::string_view value) {
  fields_.push_back({text_.size(), name.size(), text_.size() + name.size(), value.size(), true});
  text_ += name;
  text_ += value;
}

void Incoming::add(std::string_view name, const amqp_field_value_t& value) {
  Field field{text_.size(), name.size(), text_.size() + name.size(), 0, true};
  text_ += name;
  field.has_value = append_text(text_, value);
  field.value_size = text_.size() - field.value;
  fields_.push_back(field);
}

void Incoming::add_number(std::string_view name, unsigned value) { add(name, std::to_string(value)); }

void Incoming::fill(Message& message) {
  stage_ = Stage::nothing;
  const std::string_view text = text_;
  headers_.clear();
  for (const Field& field : fields_) {
    Header header{text.substr(field.name, field.name_size), std::nullopt};
    if (field.has_value) header.value = text.substr(field.value, field.value_size);
    headers_.push_back(header);
  }
  message.offset = static_cast<std::int64_t>(tag_);
  message.headers = headers_;
  message.payload = body_;
  message.timestamp = timestamp_;
  message.key = key_header_.empty() ? std::optional<std::string_view>(routing_key_) : message.header(key_header_);
}

}  // namespace idem::rabbit
