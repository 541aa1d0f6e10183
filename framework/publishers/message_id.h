// Ids for messages whose sender gave them none.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace idem::publish {

using Uuid = std::array<unsigned char, 16>;
inline std::string_view bytes_of(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.data()), uuid.size()};
}
/// In its usual form of 36 characters. Needs 16 bytes.
std::string text_of_uuid(std::string_view bytes);

/// A version 7 UUID: 48 bits of time, then 74 random bits. Ids made one after another lie close together, which spares
/// the index of the store that remembers them. Any thread; also after fork(). Throws std::system_error.
std::string new_message_id();

/// The same for one thread that makes many, without asking the kernel each time: those of one object count up from a
/// random number. Not to be used on both sides of a fork.
class MessageIds {
 public:
  /// Throws std::system_error.
  MessageIds();
  Uuid next();

 private:
  std::uint64_t prefix_ = 0, count_ = 0;
};

}  // namespace idem::publish
