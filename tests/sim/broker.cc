#include "sim/broker.h"

#include <charconv>

namespace idem::sim {
namespace {

template <char prefix>
std::string_view numbered(int number) {
  static const auto texts = [] {
    std::array<std::string, 32> made;
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = prefix + std::to_string(i);
    return made;
  }();
  return texts[static_cast<std::size_t>(number)];
}

}  // namespace

std::string_view id_text(int id) { return numbered<'m'>(id); }
std::string_view key_text(int key) { return numbered<'k'>(key); }
std::string_view payload_text(int payload) { return numbered<'p'>(payload); }

std::string_view place_text(std::int64_t offset) { return numbered<'@'>(static_cast<int>(offset)); }

Place place_of(const Message& message) {
  for (const Header& header : message.headers) {
    if (header.name != place_header) continue;
    Place place{message.partition, 0};
    std::from_chars(header.value->data() + 1, header.value->data() + header.value->size(), place.offset);
    return place;
  }
  return {message.partition, message.offset};
}

void Broker::append() {
  Choices& choices = history_.choices;
  Sent sent;
  sent.partition = static_cast<int>(choices.detail(static_cast<std::uint32_t>(history_.scenario.partitions)));
  Partition& p = partition(sent.partition);
  if (history_.fault(Fault::gap, 4)) p.end += 1 + choices.detail(2);

  const int fresh = this->sent();
  sent.id = fresh;
  sent.payload = fresh;
  const bool repeat = choices.systematic() ? fresh == 2 : history_.fault(Fault::copy, 3);
  if (repeat && fresh > 0) {
    const Key& earlier = all_[choices.detail(static_cast<std::uint32_t>(fresh))];
    sent.id = earlier.id;
    sent.payload = earlier.payload;
    if (history_.fault(Fault::conflict, 3)) sent.payload = fresh;
  } else if (history_.fault(Fault::no_id, 6)) {
    sent.id = Sent::none;
  }
  sent.key = static_cast<int>(choices.detail(3)) - 1;
  sent.offset = p.end++;
  sent.time = history_.clock.wall();
  all_.push_back({sent.id, sent.payload});
  if (sent.id == Sent::none) all_.back().id = fresh;  // a copy of it has an id: it is another message
  p.messages.push_back(sent);
  history_.trace("producer  sends %d@%d id=%d key=%d payload=%d", sent.partition,
                 static_cast<int>(sent.offset), sent.id, sent.key, sent.payload);
  if (history_.fault(Fault::gap, 4)) ++p.end;  // a transaction marker behind it
}

void Broker::give(int number, int node) {
  Partition& p = partition(number);
  p.owner = node;
  ++p.generation;
}

void Broker::take(int number) {
  Partition& p = partition(number);
  p.owner = Sent::none;
  ++p.generation;
  if (history_.scenario.queue) requeue(p);
}

// --- As a queue
// ---------------------------------------------------------------------------------------------------

void Broker::requeue(Partition& p) {
  for (Sent& sent : p.messages)
    if (sent.state == Sent::State::unacknowledged) sent.state = Sent::State::ready;
  p.delivered.clear();
  p.resolved.clear();
}

Broker::Delivery Broker::deliver(int number) {
  Partition& p = partition(number);
  for (std::size_t i = 0; i < p.messages.size(); ++i) {
    if (p.messages[i].state != Sent::State::ready) continue;
    p.messages[i].state = Sent::State::unacknowledged;
    p.delivered.push_back(i);
    p.resolved.push_back(false);
    return {&p.messages[i], static_cast<std::int64_t>(p.delivered.size())};
  }
  return {};
}

bool Broker::knows(const Partition& p, std::uint64_t tag) {
  if (tag >= 1 && tag <= p.delivered.size() && !p.resolved[tag - 1]) return true;
  history_.violate("R2", "a delivery is settled that the channel does not know (any more)");
  return false;
}

void Broker::acknowledge(int number, std::uint32_t generation, std::uint64_t tag, bool multiple) {
  Partition& p = partition(number);
  if (generation != p.generation) return history_.saw(Saw::acks_lost);
  if (!knows(p, tag)) return;
  for (std::uint64_t t = multiple ? 1 : tag; t <= tag; ++t) {
    if (p.resolved[t - 1]) continue;
    p.resolved[t - 1] = true;
    Sent& sent = p.messages[p.delivered[t - 1]];
    sent.state = Sent::State::acknowledged;
    history_.trace("broker    hears that %d@%d is done", number, static_cast<int>(sent.offset));
    observer_.on_acknowledged(sent);
  }
  if (!multiple) history_.saw(Saw::acks_above_gap);
}

void Broker::hand_back(int number, std::uint32_t generation, std::uint64_t tag) {
  Partition& p = partition(number);
  if (generation != p.generation || !knows(p, tag)) return;
  p.resolved[tag - 1] = true;
  p.messages[p.delivered[tag - 1]].state = Sent::State::ready;
  history_.saw(Saw::handed_back);
  history_.trace("broker    gets %d@%d back", number, static_cast<int>(p.messages[p.delivered[tag - 1]].offset));
}

// --- As a log
// -----------------------------------------------------------------------------------------------------

bool Broker::copy_is_open(const Sent& sent) const {
  for (const Partition& p : partitions_)
    for (const Sent& earlier : p.messages)
      if (&earlier != &sent && sent.id != Sent::none && earlier.id == sent.id && earlier.received &&
          !observer_.ended(earlier))
        return true;
  return false;
}

Broker::Answer Broker::commit(int number, std::uint32_t generation, std::int64_t next,
                              const std::string& metadata) {
  Partition& p = partition(number);
  if (p.owner == Sent::none || generation != p.generation) {
    history_.saw(Saw::zombie_commit);
    history_.trace("broker    refuses commit %d of partition %d: not the owner", static_cast<int>(next),
                   number);
    return Answer::refused;
  }
  history_.trace("broker    commits %d of partition %d", static_cast<int>(next), number);
  observer_.on_offset_commit(number, next);
  p.committed = next;
  p.metadata = metadata;
  return Answer::ok;
}

}  // namespace idem::sim
