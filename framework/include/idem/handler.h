// The contract between a service and the runtime: the one header a user has to read.
#pragma once

#include <functional>
#include <memory>

#include <idem/message.h>
#include <idem/outcome.h>
#include <idem/transaction.h>

namespace idem {

/// A handler whose effect is in the store's own database.
///
/// One object is called by all workers at once, unless a HandlerFactory is given: then each worker has its own.
///
/// Promise: what `handle` writes through `tx` is committed at most once per (consumer, id) inside the retention
/// window, together with the record that the message was processed; with no message lost, exactly once in that
/// database. `handle` itself may be called more than once for a message (after a crash or a retry, when its group could
/// not commit, or when a message soon after it failed and was undone together with it): only what went through `tx`
/// counts once.
class Handler {
 public:
  virtual ~Handler() = default;

  /// Called with one message. Views in `message` and the reference `tx` end with the call.
  /// Throwing is retry(what()); an exception that is not a std::exception is a retry too.
  virtual Outcome handle(const Message& message, Transaction& tx) = 0;
};

/// Makes one handler per worker; called once per worker at start, on the thread that calls run().
using HandlerFactory = std::function<std::unique_ptr<Handler>()>;

}  // namespace idem
