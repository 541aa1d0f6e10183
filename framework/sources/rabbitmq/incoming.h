// One delivery, put together from its frames: a method, a header with the properties, and any number of body frames.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <idem/message.h>

struct amqp_basic_deliver_t_;
struct amqp_basic_properties_t_;
struct amqp_field_value_t_;

namespace idem::rabbit {

/// Owns a copy of what the frames held: rabbitmq-c's memory can be released after each frame.
class Incoming {
 public:
  /// `key_header`: see RabbitOptions.
  explicit Incoming(std::string key_header) : key_header_(std::move(key_header)) {}

  void reset();
  void begin(const amqp_basic_deliver_t_& delivery);
  void properties(const amqp_basic_properties_t_& properties, std::uint64_t body_size);
  void body(std::string_view bytes);

  std::uint64_t tag() const { return tag_; }
  bool under_way() const { return stage_ != Stage::nothing; }
  bool complete() const { return stage_ == Stage::body && body_.size() >= body_size_; }
  /// Fills in all but topic and partition. Its views hold until the next begin().
  void fill(Message& message);

 private:
  enum class Stage : std::uint8_t { nothing, header, body };
  struct Field {
    std::size_t name, name_size, value, value_size;  ///< in text_
    bool has_value;
  };

  void add(std::string_view name, std::string_view value);
  void add(std::string_view name, const amqp_field_value_t_& value);
  void add_number(std::string_view name, unsigned value);

  const std::string key_header_;
  Stage stage_ = Stage::nothing;
  std::uint64_t tag_ = 0, body_size_ = 0;
  bool redelivered_ = false;
  std::string exchange_, routing_key_, text_, body_;
  std::vector<Field> fields_;
  std::optional<Timestamp> timestamp_;
  std::vector<Header> headers_;
};

}  // namespace idem::rabbit
