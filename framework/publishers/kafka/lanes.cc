#include "publishers/kafka/lanes.h"

#include <utility>

namespace idem::kafka {

Lane make_lane(const std::string& topic, const std::optional<std::string>& key, std::optional<std::int32_t> partition) {
  return {topic, partition ? std::nullopt : key, partition};
}

std::optional<Lane> lane_of(const KafkaOutgoing& message) {
  if (!message.key && !message.partition) return std::nullopt;
  return make_lane(message.topic, message.key, message.partition);
}

const std::string* Lanes::stopped(const Lane& lane) const {
  const auto found = lanes_.find(lane);
  return found == lanes_.end() || !found->second.stopped ? nullptr : &*found->second.stopped;
}

void Lanes::add(Ticket ticket, const Lane& lane) { lanes_[lane].held.insert(ticket); }

void Lanes::ended(Ticket ticket, const Lane& lane) {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return;
  found->second.held.erase(ticket);
  forget_if_idle(found);
}

void Lanes::stop(const Lane& lane, const std::string& why) {
  State& state = lanes_[lane];
  if (!state.stopped) state.stopped = why;
}

std::vector<Lanes::Ticket> Lanes::held(const Lane& lane) const {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return {};
  return {found->second.held.begin(), found->second.held.end()};
}

bool Lanes::resume(const Lane& lane) {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end() || !std::exchange(found->second.stopped, std::nullopt)) return false;
  forget_if_idle(found);
  return true;
}

std::vector<StoppedLane> Lanes::all_stopped() const {
  std::vector<StoppedLane> all;
  for (const auto& [lane, state] : lanes_)
    if (state.stopped) all.push_back({std::get<0>(lane), std::get<1>(lane), std::get<2>(lane), *state.stopped});
  return all;
}

void Lanes::forget_if_idle(std::map<Lane, State>::iterator at) {
  if (at->second.held.empty() && !at->second.stopped) lanes_.erase(at);
}

}  // namespace idem::kafka
