#include "sim/broker.h"

#include <algorithm>

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

std::int64_t offset_of(const Message& message) {
  const auto at = message.header("at");
  return at ? std::stoll(std::string(*at)) : message.offset;
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
}

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

// --- Queues

void Broker::delivered(int number, std::uint32_t generation, std::uint64_t tag, std::int64_t offset) {
  Partition& p = partition(number);
  if (generation == p.generation) p.unacknowledged.push_back({tag, offset});
}

void Broker::acknowledge(int number, std::uint32_t generation, std::uint64_t tag, bool multiple) {
  Partition& p = partition(number);
  history_.trace("broker    ack of tag %d%s of queue %d%s", static_cast<int>(tag), multiple ? " and below" : "", number,
                 generation == p.generation ? "" : ": of a channel that is gone");
  if (generation != p.generation) return history_.saw(Saw::zombie_commit);
  const auto last = std::find_if(p.unacknowledged.begin(), p.unacknowledged.end(),
                                 [&](const auto& waiting) { return waiting.tag == tag; });
  if (last == p.unacknowledged.end()) return history_.violate("R2", "an acknowledgement of a tag that is not waited for");
  const auto first = multiple ? p.unacknowledged.begin() : last;
  for (auto it = first; it != std::next(last); ++it) {
    Sent& sent = p.messages[p.find(it->offset)];
    observer_.on_acknowledged(sent);
    sent.acknowledged = true;
  }
  p.unacknowledged.erase(first, std::next(last));
}

std::optional<std::int64_t> Broker::requeue(int number, std::uint32_t generation, std::uint64_t tag) {
  Partition& p = partition(number);
  if (generation != p.generation) return std::nullopt;
  const auto found = std::find_if(p.unacknowledged.begin(), p.unacknowledged.end(),
                                  [&](const auto& waiting) { return waiting.tag == tag; });
  if (found == p.unacknowledged.end()) {
    history_.violate("R2", "a tag is handed back that is not waited for");
    return std::nullopt;
  }
  const std::int64_t offset = found->offset;
  p.unacknowledged.erase(found);
  history_.trace("broker    takes tag %d back into queue %d", static_cast<int>(tag), number);
  return offset;
}

}  // namespace idem::sim
