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
  /// Of the present time, or of the time of the one before: it costs a look at the clock.
  Uuid next();
  Uuid next_of_same_time();

 private:
  std::uint64_t time_ = 0, prefix_ = 0, count_ = 0;
};

/// The one that MessageIds makes after this one at the same time. Where their count comes round to 0 it is another.
Uuid next_after(const Uuid& uuid);

}  // namespace idem::publish
