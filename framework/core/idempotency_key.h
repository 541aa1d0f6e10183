// What an ExternalHandler gives to whoever it calls, so that they can tell a second call from another one.
#pragma once

#include <string>
#include <string_view>

#include <idem/message.h>

namespace idem::core {

/// The same for ever for the same consumer and id: neither the store nor this version of idem is in it. The first 128
/// bits of a SHA-256, in hexadecimal.
std::string idempotency_key(std::string_view consumer, std::string_view id);

/// The id of a message that is known by its position only.
std::string id_of_position(const Message& message);

}  // namespace idem::core
