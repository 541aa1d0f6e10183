// A request handled once, for code that keeps its own loop: a webhook, a cron job, any other broker. Whoever repeats the
// request, because the answer was lost, gets the answer that was kept.
//
//   auto answer = idem::once(store, "webhook", id, [&](idem::Transaction& tx) {
//     tx.exec("INSERT INTO booking …");
//     return idem::done("booked as 17");
//   }, {.content = body});
//
// What takes a Transaction has its effect in the store's database: one effect, as of a Handler. What takes an Attempt calls
// somebody outside: at least one call, always with the same key, and the truth about an earlier one, as of an
// ExternalHandler. Ids are shared with a Runtime of the same consumer name; use the same kind of handler for both.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <idem/external_handler.h>
#include <idem/outcome.h>
#include <idem/store.h>

namespace idem {

struct OnceOptions {
  /// What must be equal in every repeat: its fingerprint is kept with the id, and the bytes only if the request is parked.
  /// Empty: not compared, and whoever can guess an id gets the answer that was for another request.
  std::string_view content{};

  /// How long to wait while the id is being worked on in this process: by another call of once(), or by a runtime's
  /// ExternalHandler. Then the answer is busy. Longer than fn takes, and shorter than whoever asks has patience. 0: not at
  /// all.
  std::chrono::milliseconds wait{10'000};

  /// The largest result that is kept. They are in the store as long as their ids are.
  std::size_t max_result_bytes = 64 << 10;

  /// RuntimeOptions::retention of the runtime that has the same consumer name, if there is one: the two must be equal. Of
  /// stream time, which once() does not move: nothing is forgotten unless a runtime, or you with Ledger::advance(), says
  /// what time it is.
  std::chrono::milliseconds retention{std::chrono::days(7)};
};

/// What became of a request.
struct [[nodiscard]] Once {
  enum class Kind {
    applied,      ///< fn was called and said done(); that is durable now, with the result
    duplicate,    ///< an earlier request (or message) of this id was done already; here is its result. fn was not called
    conflict,     ///< the id was used for other content. fn was not called
    busy,         ///< the id was being worked on for as long as OnceOptions::wait: ask again. fn was not called
    parked,       ///< it lies in the parking lot: fn said dead_letter(), now, or what came earlier under this id ended there
    not_applied,  ///< fn said retry(), and nothing of what it wrote remains: ask again
    in_doubt,     ///< an external fn said retry(): its call may have been made. The next one says so (maybe_executed)
  };
  Kind kind = Kind::applied;
  /// What done(result) said: now (applied), or then (duplicate). nullopt: nothing, or it was not kept: it was too large, or
  /// the store keeps none (StoreTraits::results).
  std::optional<std::string> result{};
  /// For people: what retry() or dead_letter() said, or why a result was not kept.
  std::string why{};
};

namespace detail {

Once once_inside(TransactionalStore& store, std::string_view consumer, std::string_view id,
                 const std::function<Outcome(Transaction&)>& fn, const OnceOptions& options);
Once once_outside(TransactionalStore& store, std::string_view consumer, std::string_view id,
                  const std::function<Outcome(const Attempt&)>& fn, const OnceOptions& options);

template <class Argument, class Fn>
auto with_outcome(Fn& fn) {
  using Answer = std::invoke_result_t<Fn&, Argument>;
  static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, Outcome>,
                "idem: what once() calls returns an Outcome (done(result), retry(why), …), or nothing for done()");
  return [&fn](Argument argument) -> Outcome {
    if constexpr (std::is_void_v<Answer>) {
      fn(argument);
      return done();
    } else {
      return fn(argument);
    }
  };
}

}  // namespace detail

/// Runs `fn` at most once per (consumer, id) and returns when the answer is durable. Any thread, but not inside a handler.
/// `fn` returns an Outcome, or nothing for done(); the delay of retry_after is for whoever asks again. It may be called again
/// within one call, when a commit certainly failed.
/// An exception from `fn` leaves nothing behind and passes through. A result above max_result_bytes is an exception
/// (std::length_error), and leaves nothing behind either.
///
/// Throws std::invalid_argument for an empty id and for options that cannot be, StoreError when the store cannot answer.
///
/// The consumer's ledger is opened for the call, which reads its newest ids, unless somebody has it open: a runtime, or
/// whoever keeps what store.ledger() has returned. A service does.
template <std::invocable<Transaction&> Fn>
Once once(TransactionalStore& store, std::string_view consumer, std::string_view id, Fn&& fn,
          const OnceOptions& options = {}) {
  return detail::once_inside(store, consumer, id, detail::with_outcome<Transaction&>(fn), options);
}

/// The same for a call to somebody outside. A claim is durable before `fn` is called, and its end when this returns. `fn`
/// says done() only when the call has certainly taken effect. When an exception passes through, from `fn` or a StoreError
/// after it, and when the process dies, the claim stays: the next call of this id has maybe_executed set. `fn` is called
/// once by one call. A result above max_result_bytes is given to this caller and not kept, and `why` says so: the call has
/// been made, and that is not forgotten.
///
/// Also throws std::invalid_argument for a store without StoreTraits::claims.
template <std::invocable<const Attempt&> Fn>
Once once(TransactionalStore& store, std::string_view consumer, std::string_view id, Fn&& fn,
          const OnceOptions& options = {}) {
  return detail::once_outside(store, consumer, id, detail::with_outcome<const Attempt&>(fn), options);
}

}  // namespace idem
