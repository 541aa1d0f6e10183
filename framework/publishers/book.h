// The messages that a publisher's thread holds, by ticket, until each has its result.
//
// One thread. Deadlines do not go backwards from one ticket to the next.
#pragma once

#include <deque>
#include <exception>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "publishers/intake.h"
#include "publishers/send_queue.h"
#include "runtime/log.h"

namespace idem::publish {

template <class Message>
class Book {
 public:
  explicit Book(Intake<Message>& intake) : intake_(intake) {}

  Ticket add(Request<Message>&& request) {
    deadlines_.push_back({++last_, request.deadline});
    held_.emplace(last_, std::move(request));
    return last_;
  }
  /// nullptr: it has its result already.
  Request<Message>* find(Ticket ticket) {
    const auto found = held_.find(ticket);
    return found == held_.end() ? nullptr : &found->second;
  }
  /// Gives the message its result, unless it has one.
  void settle(Ticket ticket, PublishResult::Known known, std::string why, bool permanent = false) {
    auto node = held_.extract(ticket);
    if (node.empty()) return;
    Request<Message>& request = node.mapped();
    ++released_;
    released_bytes_ += request.size;
    const PublishResult result{known, std::move(request.message.id), std::move(why), permanent};
    if (!request.done) return;
    try {
      request.done(result);
    } catch (const std::exception& e) {
      runtime::log().error("a publisher's callback threw: {}", e.what());
    } catch (...) {
      runtime::log().error("a publisher's callback threw something that is no std::exception");
    }
  }
  /// Room for what has been settled. Once a turn: it takes a lock and wakes callers.
  void release() { intake_.release(std::exchange(released_, 0), std::exchange(released_bytes_, 0)); }

  /// The next one whose deadline is over.
  std::optional<Ticket> expired(TimePoint now) {
    skip_settled();
    if (deadlines_.empty() || deadlines_.front().second > now) return std::nullopt;
    return deadlines_.front().first;
  }
  std::optional<TimePoint> next_deadline() {
    skip_settled();
    return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.front().second);
  }
  /// All that is held, in order.
  std::vector<Ticket> tickets() const {
    std::vector<Ticket> all;
    for (const auto& [ticket, deadline] : deadlines_)
      if (held_.contains(ticket)) all.push_back(ticket);
    return all;
  }

 private:
  void skip_settled() {
    while (!deadlines_.empty() && !held_.contains(deadlines_.front().first)) deadlines_.pop_front();
  }

  Intake<Message>& intake_;
  std::unordered_map<Ticket, Request<Message>> held_;
  std::deque<std::pair<Ticket, TimePoint>> deadlines_;
  Ticket last_ = 0;
  std::size_t released_ = 0, released_bytes_ = 0;
};

}  // namespace idem::publish
