#include "sim/outside.h"

#include <algorithm>
#include <stdexcept>

namespace idem::sim {

using namespace std::chrono_literals;

void Outside::call(const Message& message, const Attempt& attempt) {
  const std::string id(message.id);
  const bool excused = std::erase(excused_, id) > 0;
  bool repeated = false;
  for (const Call& earlier : calls_) {
    if (earlier.id != id) continue;
    repeated = true;
    if (earlier.key != attempt.key) history_.violate("X2", "an id is called with two keys");
  }
  if (!repeated && attempt.maybe_executed) history_.saw(Saw::claim_found);
  if (repeated && attempt.maybe_executed) history_.saw(Saw::call_repeated);
  if (repeated && !attempt.maybe_executed && !excused) history_.violate("X1", "a call is repeated without a word");
  calls_.push_back({id, std::string(attempt.key), place_of(message)});
}

void Outside::take_effect() {
  Call& call = calls_.back();
  if (!has_effect(call.place.partition, call.place.offset)) check_order(call);
  call.effect = true;
}

// With two nodes a zombie may make a call of long ago: only a store that is asked inside the effect can hinder it.
void Outside::check_order(const Call& call) {
  if (history_.scenario.nodes > 1) return;
  const auto& messages = broker_.partition(call.place.partition).messages;
  const Sent& own = messages[broker_.partition(call.place.partition).find(call.place.offset)];
  if (store_.out_of_order(call.place)) return;
  for (const Sent& later : messages)
    if (later.offset > own.offset && !store_.out_of_order({later.partition, later.offset}) &&
        history_.scenario.one_lane(own.key, later.key) &&
        has_effect(later.partition, later.offset))
      history_.violate("I6", "calls of one lane take effect out of order");
}

bool Outside::executed(std::string_view id) const {
  return std::any_of(calls_.begin(), calls_.end(), [&](const Call& c) { return c.effect && c.id == id; });
}

bool Outside::has_effect(int partition, std::int64_t offset) const {
  return std::any_of(calls_.begin(), calls_.end(), [&](const Call& c) {
    return c.effect && c.place.partition == partition && c.place.offset == offset;
  });
}

Outcome SimExternalHandler::handle(const Message& message, const Attempt& attempt) {
  const Place place = place_of(message);
  history_.trace("call      %d@%d attempt %d%s", place.partition, static_cast<int>(place.offset), attempt.number,
                 attempt.maybe_executed ? ", maybe executed" : "");
  outside_.call(message, attempt);
  if (history_.fault(Fault::handler_throws)) throw std::runtime_error("thrown");
  if (history_.fault(Fault::handler_dead_letter)) return dead_letter("bad");
  if (history_.outage) return retry("down");
  outside_.take_effect();
  if (history_.fault(Fault::handler_retry, 4))
    return history_.choices.detail(3) == 1 ? retry_after(20ms, "later") : retry("the answer was lost");
  return done();
}

Resolution SimExternalHandler::resolve(const Message& message, const Attempt&) {
  if (history_.choices.detail(2) == 1) return Resolution::unknown;
  if (outside_.executed(message.id)) {
    history_.saw(Saw::call_resolved);
    return Resolution::executed;
  }
  if (history_.choices.detail(2) == 1) return Resolution::unknown;
  outside_.excuse(message.id);
  return Resolution::not_executed;
}

}  // namespace idem::sim
