// In which order messages are sent and sent again, and how the one that a broker will not have is found.
//
// A broker may refuse one message by closing the channel or failing the batch it was in, without saying which message
// it was. Then everything unanswered is suspected and sent again one at a time: the one that is alone when the refusal
// comes is the one.
//
// Pure: no clock, no thread, no broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>

namespace idem::publish {

/// Names a message while a publisher holds it. They grow in the order of publishing.
using Ticket = std::uint64_t;

class SendQueue {
 public:
  /// A new one, behind all others.
  void add(Ticket ticket) { waiting_.push_back(ticket); }
  /// The one to send now; nullopt: none is waiting, or a suspect's answer has to come first.
  std::optional<Ticket> next() const;
  /// next() is on its way.
  void sent();
  /// One that is on its way has been answered.
  void answered(Ticket ticket);
  /// One that waits is no longer to be sent.
  void drop(Ticket ticket);
  /// What is on its way got lost: `tickets`, in their order, wait again, before all others.
  void back(std::span<const Ticket> tickets);
  /// These wait, and may be what the broker will not have: from now on one at a time until each of them has been
  /// answered or dropped.
  void suspect(std::span<const Ticket> tickets) { suspects_.insert(tickets.begin(), tickets.end()); }

  std::size_t waiting() const { return waiting_.size(); }
  std::size_t on_the_way() const { return on_the_way_; }
  bool one_at_a_time() const { return !suspects_.empty(); }

 private:
  std::deque<Ticket> waiting_;  ///< all of them after those on their way
  std::set<Ticket> suspects_;
  std::size_t on_the_way_ = 0;
};

}  // namespace idem::publish
