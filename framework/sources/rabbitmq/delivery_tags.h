// The deliveries of one channel that the broker waits for, and what it may be told of them.
//
// Tags count from 1 on each channel, without gaps. A tag leaves here once, by an acknowledgement or by being handed
// back, so nothing can be said twice: the broker closes the channel for that. `multiple` is said only of a tag that is
// itself unacknowledged and below which everything is done.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace idem::rabbit {

class DeliveryTags {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Ack {
    std::uint64_t tag = 0;
    bool multiple = false;  ///< and everything below that is not acknowledged
    friend bool operator==(const Ack&, const Ack&) = default;
  };

  /// A new channel: tags start at 1 again.
  void clear();
  /// The next tag has been delivered; false: it is not the next one.
  bool delivered(std::uint64_t tag, TimePoint now);
  /// Done. A tag that was handed back or is done already is ignored.
  void done(std::span<const std::int64_t> tags);
  /// What is to be sent for all that is done, and counts as sent then: at most one `multiple`, first.
  void take_acks(std::vector<Ack>& acks);
  bool any_done() const { return done_ > 0; }

  /// Each acknowledgement is a command that the server works on; one for every few messages costs it as much as they do.
  /// (Consumers of a quorum queue that sent many small ones and left were also seen to find some of those messages in the
  /// queue again, as if the channel had kept what was too much at once to itself; that is not proved.) So small ones wait
  /// for others, but never while the server waits for them.
  struct Pace {
    std::size_t at_once = 100;             ///< so many are worth one
    std::chrono::milliseconds longest{5};  ///< fewer wait so long after the one before
  };
  /// `idle`: there is nothing to read. `window`: more than so many outstanding the server does not send.
  bool acks_due(Pace pace, TimePoint now, TimePoint last_acks, bool idle, std::size_t window) const;

  /// The oldest delivery that is not done, if it was delivered before `limit`; it counts as handed back then.
  std::optional<std::uint64_t> hand_back(TimePoint limit);
  /// When the oldest delivery that is neither done nor handed back came; nullopt: there is none.
  std::optional<TimePoint> oldest();
  /// Delivered and neither acknowledged nor handed back.
  std::size_t outstanding() const { return outstanding_; }

 private:
  enum class State : std::uint8_t { waits, done, gone };
  struct Delivery {
    TimePoint at;
    State state = State::waits;
  };
  Delivery* find(std::int64_t tag);
  void skip_gone();

  std::deque<Delivery> deliveries_;
  std::uint64_t first_ = 1;  ///< tag of deliveries_.front()
  std::size_t outstanding_ = 0, done_ = 0;
  std::size_t looked_ = 0;   ///< deliveries_ before this one do not wait
  std::vector<std::uint64_t> singles_;
};

}  // namespace idem::rabbit
