#include "sqlite/outbox_pack.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <stdexcept>

#include "sqlite/byte_fields.h"
#include "sqlite/header_bytes.h"

namespace idem::sqlite {
namespace {

// What a message begins with: whose id it has.
enum Kind : char {
  wide_given = 0,  // up to 0.1 lengths took four bytes each
  wide_made = 1,
  given = 2,  // a text
  made = 3,   // the 16 bytes of a UUID that idem made
  next = 4,   // the one that idem makes behind the last one: nothing
};

[[noreturn]] void damaged() { throw std::runtime_error("idem: a pack of the outbox is damaged"); }

std::optional<std::string> copied(std::optional<std::string_view> bytes) {
  return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

std::string_view present(std::optional<std::string_view> field) {
  if (!field) damaged();
  return *field;
}

}  // namespace

void PackWriter::append(const std::optional<publish::Uuid>& made_id, const OutgoingMessage& message) {
  const Kind kind = !made_id ? given : *made_id == publish::next_after(last_made_) ? next : made;
  const std::string_view id = kind == given ? std::string_view(message.id) : kind == made ? publish::bytes_of(*made_id) : "";
  const std::string headers = message.headers.empty() ? std::string() : encode_headers(message.headers);
  const std::optional<std::string_view> fields[] = {id, message.key, message.payload, headers};
  const std::span<const std::optional<std::string_view>> written(fields + (kind == next ? 1 : 0), std::end(fields));

  std::size_t needed = 1;
  for (const auto& field : written) needed += short_field_size(field);
  const std::size_t before = bytes_.size();
  bytes_.resize(before + needed);
  char* to = bytes_.data() + before;
  *to++ = kind;
  for (const auto& field : written) to = put_short_field(to, field);
  if (made_id) last_made_ = *made_id;
}

void PackWriter::cut(std::size_t size) {
  bytes_.resize(size);
  last_made_ = {};
}

PackReader::Fields PackReader::next() {
  if (rest_.empty()) damaged();
  Fields found{rest_.front(), {}, {}, {}, {}};
  rest_.remove_prefix(1);
  if (found.kind > Kind::next) damaged();
  const auto take = found.kind <= wide_made ? take_field : take_short_field;
  if (found.kind != Kind::next) found.id = present(take(rest_));
  found.key = take(rest_);
  found.payload = take(rest_);
  found.headers = present(take(rest_));
  if (found.kind == wide_made || found.kind == made) {
    if (found.id.size() != last_made_.size()) damaged();
    std::copy(found.id.begin(), found.id.end(), last_made_.begin());
  } else if (found.kind == Kind::next) {
    last_made_ = publish::next_after(last_made_);
  }
  return found;
}

OutgoingMessage PackReader::take() {
  const Fields found = next();
  OutgoingMessage message;
  const bool text = found.kind == wide_given || found.kind == given;
  message.id = text ? std::string(found.id) : publish::text_of_uuid(publish::bytes_of(last_made_));
  message.key = copied(found.key);
  message.payload = copied(found.payload);
  if (!found.headers.empty()) message.headers = decode_headers(found.headers);
  return message;
}

void PackReader::skip() { next(); }

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
