// The handler of the killed consumer whose effect is elsewhere: it calls the service (service.cc) for every message.
#pragma once

#include <idem/external_handler.h>

#include "kills/arguments.h"

namespace idem::kills {

/// One for each worker, with a connection of its own. Of the consumer's arguments: call=HOST:PORT, life=N, slow_us=N,
/// resolve=0|1 (ask the service whether a call that may have been made had its effect).
ExternalHandlerFactory make_callers(const Arguments& arguments);

}  // namespace idem::kills
