#include "core/lanes.h"

#include <functional>
#include <string_view>

namespace idem::core {

void Lanes::enter(Partition& partition, Delivery& d) {
  d.lane = lane_of(partition, d);
  d.previous = d.lane->tail;
  d.next = nullptr;
  (d.lane->tail ? d.lane->tail->next : d.lane->head) = &d;
  d.lane->tail = &d;
}

void Lanes::leave(Delivery& d) {
  (d.previous ? d.previous->next : d.lane->head) = d.next;
  (d.next ? d.next->previous : d.lane->tail) = d.previous;
  d.previous = d.next = nullptr;
}

Lane* Lanes::lane_of(Partition& partition, const Delivery& delivery) {
  if (ordering_ == Ordering::by_partition) {
    if (!partition.lane) partition.lane = take(partition);
    return partition.lane;
  }
  if (ordering_ == Ordering::unordered || !delivery.message.key) return take(partition);
  // Two keys of one hash share a lane, which costs them only parallelism.
  const std::uint64_t key = mix(std::hash<std::string_view>{}(*delivery.message.key) + partition.index);
  auto [lane, fresh] = by_key_.insert(key, nullptr);
  if (fresh) {
    *lane = take(partition);
    (*lane)->key = key;
    (*lane)->by_key = true;
  }
  return *lane;
}

Lane* Lanes::take(Partition& partition) {
  if (free_.empty()) {
    lanes_.push_back(std::make_unique<Lane>());
    free_.push_back(lanes_.back().get());
  }
  Lane* lane = free_.back();
  free_.pop_back();
  *lane = Lane{};
  lane->partition = &partition;
  return lane;
}

void Lanes::update(Lane& lane) {
  if (!lane.head && lane.running == 0 && !lane.in_ready) {
    if (lane.by_key) by_key_.erase(lane.key);
    if (lane.partition->lane == &lane) lane.partition->lane = nullptr;
    free_.push_back(&lane);
    return;
  }
  if (lane.in_ready || !lane.runnable()) return;
  lane.in_ready = true;
  lane.next_ready = nullptr;
  (last_ready_ ? last_ready_->next_ready : first_ready_) = &lane;
  last_ready_ = &lane;
  ++ready_;
}

void Lanes::pop_ready() {
  Lane& lane = *first_ready_;
  first_ready_ = lane.next_ready;
  if (!first_ready_) last_ready_ = nullptr;
  lane.in_ready = false;
  --ready_;
}

}  // namespace idem::core
