// What a parked message looks like to those who read a dead-letter topic or queue.
#pragma once

#include <idem/store.h>

namespace idem::runtime {

/// The message as it came, with headers that say why it is here. Its id is the message's own; empty if it has none.
OutgoingMessage dead_letter_of(const Message& message, const Conclusion& conclusion);

}  // namespace idem::runtime
