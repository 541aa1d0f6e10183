#include "sqlite/outbox_pack.h"

#include <stdexcept>
#include <tuple>

#include "sqlite/byte_fields.h"
#include "sqlite/header_bytes.h"

namespace idem::sqlite {
namespace {

// Before the id: whether it is a text as it was given, or the 16 bytes of a UUID that idem made.
constexpr char given = 0, made_here = 1;

[[noreturn]] void damaged() { throw std::runtime_error("idem: a pack of the outbox is damaged"); }

std::optional<std::string> copied(std::optional<std::string_view> bytes) {
  return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

char take_kind(std::string_view& in) {
  if (in.empty()) damaged();
  const char kind = in.front();
  in.remove_prefix(1);
  return kind;
}

}  // namespace

void append_to_pack(std::string& pack, const std::optional<publish::Uuid>& made, const OutgoingMessage& message) {
  pack += made ? made_here : given;
  put_field(pack, made ? publish::bytes_of(*made) : std::string_view(message.id));
  put_field(pack, message.key);
  put_field(pack, message.payload);
  if (message.headers.empty()) return put_field(pack, "");
  put_field(pack, encode_headers(message.headers));
}

OutgoingMessage PackReader::take() {
  OutgoingMessage message;
  const char kind = take_kind(rest_);
  const std::string_view id = take_bytes(rest_);
  if (kind == made_here && id.size() != std::tuple_size_v<publish::Uuid>) damaged();
  message.id = kind == made_here ? publish::text_of_uuid(id) : std::string(id);
  message.key = copied(take_field(rest_));
  message.payload = copied(take_field(rest_));
  if (const std::string_view headers = take_bytes(rest_); !headers.empty()) message.headers = decode_headers(headers);
  return message;
}

void PackReader::skip() {
  take_kind(rest_);
  for (int field = 0; field < 4; ++field) take_field(rest_);
}

PackMarks::PackMarks(std::size_t messages, std::string_view bits) : messages_(messages), bits_(bits) {
  bits_.resize((messages + 7) / 8, '\0');
  for (std::size_t i = 0; i < messages; ++i) count_ += marked(i) ? 1 : 0;
}

bool PackMarks::mark(std::size_t message) {
  if (marked(message)) return false;
  bits_[message / 8] = static_cast<char>(bits_[message / 8] | 1 << message % 8);
  ++count_;
  return true;
}

bool PackMarks::marked(std::size_t message) const { return (bits_[message / 8] >> message % 8 & 1) != 0; }

}  // namespace idem::sqlite
