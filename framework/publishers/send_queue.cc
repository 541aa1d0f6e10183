#include "publishers/send_queue.h"

#include <algorithm>

namespace idem::publish {

std::optional<Ticket> SendQueue::next() const {
  if (waiting_.empty() || (one_at_a_time() && on_the_way_ > 0)) return std::nullopt;
  return waiting_.front();
}

void SendQueue::sent() {
  waiting_.pop_front();
  ++on_the_way_;
}

void SendQueue::answered(Ticket ticket) {
  --on_the_way_;
  suspects_.erase(ticket);
}

void SendQueue::drop(Ticket ticket) {
  // The oldest expire first, so it is nearly always the first.
  const auto found = std::find(waiting_.begin(), waiting_.end(), ticket);
  if (found != waiting_.end()) waiting_.erase(found);
  suspects_.erase(ticket);
}

void SendQueue::back(std::span<const Ticket> tickets) {
  waiting_.insert(waiting_.begin(), tickets.begin(), tickets.end());
  on_the_way_ -= tickets.size();
}

}  // namespace idem::publish
