// What a channel in confirm mode has been sent and has not answered.
//
// The server numbers what it gets on a channel from 1 on and answers by number: one, or with `multiple` all up to it; a
// nack may overtake the acks of earlier messages. A message that no queue takes comes back first (basic.return, which
// carries no number but the message's properties) and is *acked* then: so the return is kept until the ack comes. Ids
// are unique in the window, which is how a return finds its message.
//
// Pure: no clock of its own, no thread, no broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <idem/publish_result.h>

#include "publishers/send_queue.h"

namespace idem::rabbit {

class ConfirmWindow {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Ticket = publish::Ticket;
  using Known = PublishResult::Known;
  struct Settled {
    Ticket ticket = 0;
    Known known = Known::unknown;
    std::string why;
    friend bool operator==(const Settled&, const Settled&) = default;
  };

  /// The message goes out under the next number. Its id is not in the window.
  void sent(Ticket ticket, std::string_view id, TimePoint now);
  bool holds(std::string_view id) const { return numbers_.contains(std::string(id)); }

  /// The message came back. False: it is none of these.
  bool returned(std::string_view id, std::string why);
  /// The server has stored them, or what came back of them. False: it answers what was never sent.
  bool ack(std::uint64_t number, bool multiple, std::vector<Settled>& settled);
  /// The server did not store them: `refused`.
  bool nack(std::uint64_t number, bool multiple, std::vector<Settled>& settled);

  /// The channel is gone: what was not answered, in the order it was sent. Numbers start at 1 again.
  std::vector<Ticket> clear();

  /// What is not answered, in the order it was sent.
  std::vector<Ticket> tickets() const;
  std::size_t outstanding() const { return outstanding_; }
  std::uint64_t last() const { return first_ + sent_.size() - 1; }
  /// When the oldest unanswered message was sent.
  std::optional<TimePoint> oldest() const;

 private:
  struct Sent {
    Ticket ticket;
    std::string id;
    TimePoint at;
    bool answered = false, came_back = false;
    std::string why;  ///< it came back
  };
  bool answer(std::uint64_t number, bool multiple, bool good, std::vector<Settled>& settled);
  void settle(Sent& sent, bool good, std::vector<Settled>& settled);

  std::deque<Sent> sent_;
  std::uint64_t first_ = 1;  ///< number of sent_.front()
  std::size_t outstanding_ = 0;
  std::unordered_map<std::string, std::uint64_t> numbers_;
};

}  // namespace idem::rabbit
