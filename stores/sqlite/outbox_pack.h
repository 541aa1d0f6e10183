// Messages of one destination that were committed together, as one blob: a row for each of them would cost half of what
// its effect does. A pack's messages are numbered from its row's number on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <idem/outgoing.h>

#include "publishers/message_id.h"

namespace idem::sqlite {

class PackWriter {
 public:
  /// `made`: its id, if idem made it; message.id counts otherwise.
  void append(const std::optional<publish::Uuid>& made, const OutgoingMessage& message);
  /// Back to what it was when bytes() had this size.
  void cut(std::size_t size);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  publish::Uuid last_made_{};  ///< one that idem makes right behind it takes no room
};

/// Takes the messages off a pack, one after the other. Throws std::runtime_error if it is damaged.
class PackReader {
 public:
  explicit PackReader(std::string_view pack) : rest_(pack) {}
  OutgoingMessage take();
  void skip();

 private:
  struct Fields {
    char kind;
    std::string_view id;
    std::optional<std::string_view> key, payload;
    std::string_view headers;
  };
  Fields next();

  std::string_view rest_;
  publish::Uuid last_made_{};
};

/// Which messages of a pack are sent or parked: a bit each.
class PackMarks {
 public:
  explicit PackMarks(std::size_t messages, std::string_view bits = {});
  /// False: it was marked before.
  bool mark(std::size_t message);
  bool marked(std::size_t message) const;
  std::size_t count() const { return count_; }
  std::size_t messages() const { return messages_; }
  bool all() const { return count_ == messages_; }
  const std::string& bits() const { return bits_; }

 private:
  std::size_t messages_, count_ = 0;
  std::string bits_;
};

}  // namespace idem::sqlite
