// What is known of a message that was given to a publisher. Shared by RabbitPublisher and KafkaPublisher.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace idem {

/// A value that says what is known, not what is hoped. `refused` and `returned` are certain: sending the message again
/// is no duplicate. After `unknown` it may be one: send it again with the same id, and a consumer on idem drops the
/// copy.
struct [[nodiscard]] PublishResult {
  enum class Known {
    stored,    ///< the broker has taken responsibility for it
    refused,   ///< it is not stored as asked, or was never sent; `why` says which and what to do
    returned,  ///< RabbitMQ only: no queue is bound for it, so it is stored nowhere
    unknown,   ///< it was sent and no answer came; it may be stored or not
  };
  Known known = Known::unknown;
  std::string id;   ///< the message's id, also where it was generated
  std::string why;  ///< empty when stored; never a payload or a password
  /// refused, returned: it is about this message, and sent again as it is it will end so again. false: another time it
  /// may be stored.
  bool permanent = false;

  bool stored() const { return known == Known::stored; }
};

/// "stored", "refused", "returned", "unknown".
const char* to_string(PublishResult::Known known);

/// Called once for each message, from the publisher's own thread: keep it short. Publishing from it is allowed, waiting
/// for a result in it is not (and is refused). An exception that leaves it is logged and dropped.
using PublishCallback = std::function<void(const PublishResult&)>;

/// What a closing publisher leaves behind. Each of these messages has had its result as well.
struct [[nodiscard]] Unresolved {
  std::vector<std::string> unknown;   ///< ids of messages that were sent and not answered
  std::vector<std::string> not_sent;  ///< ids of messages that are certainly not stored: there was no time to send them
  bool empty() const { return unknown.empty() && not_sent.empty(); }
};

}  // namespace idem
