// What a handler says about one message.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace idem {

/// The handler's verdict. An exception that leaves a handler counts as retry(what()).
class [[nodiscard]] Outcome {
 public:
  enum class Kind {
    done,         ///< effect and processed-id record are committed together
    retry,        ///< what was written through the transaction is rolled back; called again after a backoff
    dead_letter,  ///< rolled back; the message is parked with the reason and never called again by itself
  };

  Kind kind() const { return kind_; }
  /// Why; empty for done. Goes to logs and to the parking lot: keep payloads and secrets out of it.
  const std::string& why() const { return why_; }
  /// retry_after only: wait this long instead of the runtime's own backoff. Durably if it is long (RetryPolicy::long_delay).
  std::optional<std::chrono::milliseconds> delay() const { return delay_; }
  /// done(result) only: what is kept with the id.
  const std::optional<std::string>& result() const { return result_; }

 private:
  friend Outcome done();
  friend Outcome done(std::string result);
  friend Outcome retry(std::string why);
  friend Outcome retry_after(std::chrono::milliseconds delay, std::string why);
  friend Outcome dead_letter(std::string why);

  explicit Outcome(Kind kind, std::string why = {}, std::optional<std::chrono::milliseconds> delay = {})
      : kind_(kind), why_(std::move(why)), delay_(delay) {}

  Kind kind_;
  std::string why_;
  std::optional<std::chrono::milliseconds> delay_;
  std::optional<std::string> result_;
};

inline Outcome done() { return Outcome(Outcome::Kind::done); }
/// And `result` is kept with the id, as long as that is remembered: idem::once returns it to whoever repeats the request.
/// Any bytes, none is a result too; they are never logged. Above RuntimeOptions::max_result_bytes the message is parked
/// instead; if its call has been made already (ExternalHandler), it is done and the result is not kept.
/// A store without StoreTraits::results keeps none.
inline Outcome done(std::string result) {
  Outcome outcome = done();
  outcome.result_ = std::move(result);
  return outcome;
}
inline Outcome retry(std::string why) { return Outcome(Outcome::Kind::retry, std::move(why)); }
inline Outcome retry_after(std::chrono::milliseconds delay, std::string why) {
  return Outcome(Outcome::Kind::retry, std::move(why), delay);
}
inline Outcome dead_letter(std::string why) { return Outcome(Outcome::Kind::dead_letter, std::move(why)); }

}  // namespace idem
