// The contract between a service and the runtime where the effect is somewhere else: an HTTP API, a mail server,
// another database. Where the effect can be in the store's own database, use a Handler (handler.h): it promises more.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include <idem/message.h>
#include <idem/outcome.h>

namespace idem {

/// What is known about a call before it is made. Views end with the call.
struct Attempt {
  /// The same for the same (consumer, id) for ever: on every attempt, in every process, with every store. 32 characters
  /// of 0-9 and a-f, so it fits into an HTTP header; nothing can be read from it. Give it to whoever you call.
  std::string_view key;
  /// 1 for the first call of this message in this process.
  int number = 1;
  /// False: nobody has made this call before. True: somebody may have, and it may have succeeded: a process that died,
  /// or this one, whose earlier call ended in retry or in an exception.
  bool maybe_executed = false;
  /// Of this call alone. Requested when `deadline` has passed, and when nine tenths of RuntimeOptions::drain_timeout
  /// have passed after a stop: give up waiting and say what is known, usually retry(); it counts like any answer. A
  /// handler that does not look is not interrupted. What a std::stop_callback does runs on the thread that polls the
  /// broker: cancel or notify, do not wait.
  std::stop_token stop{};
  /// RuntimeOptions::handler_deadline after the beginning of this call; nullopt: none is set. For the time-outs of what
  /// is called: shorter than this, so that its answer is there before the token.
  std::optional<std::chrono::steady_clock::time_point> deadline{};
};

/// What is known of an earlier call.
enum class Resolution {
  executed,      ///< it took effect: the message is done, no call is made
  not_executed,  ///< it did not, and will not: the call is made as if it were the first
  unknown,       ///< RuntimeOptions::on_unresolved decides
};

/// A handler whose effect is outside of the store.
///
/// Promised: no message is lost. Every call for one message carries the same key. Whenever an earlier call may have
/// happened, the call says so (Claims::durable; with Claims::in_memory only within one process).
/// Not promised: that there is one call. After a crash between the call and its record there is a second one, with the
/// same key and maybe_executed set. Whoever is called has to tell by the key, or `resolve` has to find out.
///
/// One object is called by all workers at once, unless a factory is given: then each worker has its own.
class ExternalHandler {
 public:
  virtual ~ExternalHandler() = default;

  /// Makes the call. done() only when it has certainly taken effect. Throwing is retry(what()).
  virtual Outcome handle(const Message& message, const Attempt& attempt) = 0;

  /// Asked before a call whenever maybe_executed is set. Throwing is retry(what()): no call is made then.
  virtual Resolution resolve(const Message&, const Attempt&) { return Resolution::unknown; }
};

/// Makes one handler per worker; called once per worker at start, on the thread that calls run().
using ExternalHandlerFactory = std::function<std::unique_ptr<ExternalHandler>()>;

}  // namespace idem
