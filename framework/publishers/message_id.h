// Ids for messages whose sender gave them none.
#pragma once

#include <string>

namespace idem::publish {

/// A version 7 UUID: 48 bits of time, then 74 random bits. Ids made one after another lie close together, which spares
/// the index of the store that remembers them. Any thread; also after fork(). Throws std::system_error.
std::string new_message_id();

}  // namespace idem::publish
