// Who a message is: the rule by which a copy is told from a new message.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <idem/message.h>

namespace idem {

/// Finds a message's id. Ids are bytes: any length, NUL and invalid UTF-8 included, never truncated.
/// A message in which no id is found (absent or empty) is parked with that reason, never guessed at: a random id
/// would make every copy new, and a hash of the payload would make two equal payments one.
class Identity {
 public:
  enum class Kind { unset, header, key, position, function };
  using Function = std::function<std::optional<std::string>(const Message&)>;

  /// Unset: the runtime refuses to start and asks for a choice.
  Identity() = default;

  Kind kind() const { return kind_; }

  /// The id, or nullopt when the message carries none. `scratch` holds the bytes when they had to be made; the view
  /// is valid as long as both the message and `scratch` are. Not for Kind::position.
  std::optional<std::string_view> find(const Message& message, std::string& scratch) const;

 private:
  friend Identity id_from_header(std::string name);
  friend Identity id_from_key();
  friend Identity id_from_position();
  friend Identity id_from(Function function);

  Kind kind_ = Kind::unset;
  std::string header_;
  Function function_;
};

/// The value of the (last) header of that name. The producer's own message id: the strongest choice, for it also
/// catches a producer that sends twice.
Identity id_from_header(std::string name);

/// The message's key. Only right when a key names one message and not an entity that has many.
Identity id_from_key();

/// (topic, partition, offset). Catches redelivery, needs no memory per message, does not catch a producer that sent
/// the same thing twice. Needs a source with stable positions (Kafka).
Identity id_from_position();

/// A function of the message; nullopt or empty means "no id". Called on the I/O thread: keep it short. Must give the
/// same id for every copy. An exception counts as "no id".
Identity id_from(Identity::Function function);

/// What the runtime remembers of a message's content beside its id, to notice one id used for two messages.
class Fingerprint {
 public:
  using Function = std::function<std::string(const Message&)>;

  /// The whole payload. Producers that stamp each resend with a new time make every honest resend a conflict: give
  /// them a function of the parts that matter, or none().
  static Fingerprint payload() { return {}; }
  /// Nothing: the same id is the same message whatever it carries. Whoever can guess an id can make the real message
  /// be skipped.
  static Fingerprint none() { return Fingerprint(true, nullptr); }
  /// The bytes that must be equal in all copies. Called on the I/O thread; an exception counts as an empty result.
  static Fingerprint of(Function function) { return Fingerprint(false, std::move(function)); }

  Fingerprint() = default;
  bool is_none() const { return none_; }
  const Function& function() const { return function_; }

 private:
  Fingerprint(bool none, Function function) : none_(none), function_(std::move(function)) {}
  bool none_ = false;
  Function function_;
};

}  // namespace idem
