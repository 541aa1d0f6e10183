#include "sources/rabbitmq/delivery_tags.h"

#include <algorithm>

#include "core/mutant.h"

namespace idem::rabbit {

using core::Mutant;
using core::mutated;

void DeliveryTags::clear() { *this = DeliveryTags{}; }

bool DeliveryTags::delivered(std::uint64_t tag, TimePoint now) {
  if (tag != first_ + deliveries_.size()) return false;
  deliveries_.push_back({now, State::waits});
  ++outstanding_;
  return true;
}

DeliveryTags::Delivery* DeliveryTags::find(std::int64_t tag) {
  const auto at = static_cast<std::uint64_t>(tag) - first_;  // below first_ wraps around to something huge
  return at < deliveries_.size() ? &deliveries_[at] : nullptr;
}

void DeliveryTags::done(std::span<const std::int64_t> tags) {
  for (std::int64_t tag : tags) {
    Delivery* delivery = find(tag);
    if (!delivery || delivery->state != State::waits) continue;
    delivery->state = State::done;
    ++done_;
    singles_.push_back(static_cast<std::uint64_t>(tag));
  }
}

void DeliveryTags::take_acks(std::vector<Ack>& acks) {
  if (done_ == 0) return;
  std::uint64_t prefix = 0;
  for (; !deliveries_.empty() && deliveries_.front().state != State::waits; deliveries_.pop_front(), ++first_) {
    if (deliveries_.front().state == State::done) prefix = first_;  // not yet sent: the broker still waits for this one
    if (looked_ > 0) --looked_;
  }
  if (mutated(Mutant::multiple_over_unfinished)) prefix = *std::max_element(singles_.begin(), singles_.end());
  if (prefix > 0) acks.push_back({prefix, true});
  for (std::uint64_t tag : singles_) {
    if (tag < first_) continue;
    acks.push_back({tag, false});
    deliveries_[tag - first_].state = State::gone;
  }
  outstanding_ -= done_;
  done_ = 0;
  singles_.clear();
}

bool DeliveryTags::acks_due(Pace pace, TimePoint now, TimePoint last_acks, bool idle, std::size_t window) const {
  if (done_ == 0) return false;
  if (done_ >= pace.at_once || now - last_acks >= pace.longest) return true;
  return idle && outstanding_ >= window;
}

void DeliveryTags::skip_gone() {
  while (looked_ < deliveries_.size() && deliveries_[looked_].state != State::waits) ++looked_;
}

std::optional<DeliveryTags::TimePoint> DeliveryTags::oldest() {
  skip_gone();
  if (looked_ == deliveries_.size()) return std::nullopt;
  return deliveries_[looked_].at;
}

std::optional<std::uint64_t> DeliveryTags::hand_back(TimePoint limit) {
  const auto at = oldest();
  if (!at || *at >= limit) return std::nullopt;
  const std::uint64_t tag = first_ + looked_;
  if (mutated(Mutant::handed_back_is_acked)) return tag;
  if (mutated(Mutant::handed_back_is_done)) {
    const std::int64_t number[] = {static_cast<std::int64_t>(tag)};
    done(number);
    return std::nullopt;
  }
  deliveries_[looked_].state = State::gone;
  --outstanding_;
  return tag;
}

}  // namespace idem::rabbit
