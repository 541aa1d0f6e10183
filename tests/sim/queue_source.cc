#include "sim/queue_source.h"

#include <algorithm>
#include <string>

namespace idem::sim {

using namespace std::chrono_literals;

void SimQueueSource::opened(int partition, Reader& reader) {
  channels_[index(partition)] = {};
  reader.next = 0;  // of the queue: what is acknowledged is passed over
  broker_.open_channel(partition);
}

void SimQueueSource::closing(int partition) { send_acks(partition); }

void SimQueueSource::poll(std::chrono::milliseconds wait, std::size_t limit) {
  // As late as the rules allow: before the wait, which here is the end of every poll.
  SimSource::poll(wait, limit);
  for (int partition = 0; partition < history_.scenario.partitions; ++partition) {
    if (history_.fault(Fault::commit_late, 6)) hand_back(partition);
    send_acks(partition);
  }
}

void SimQueueSource::acknowledge(PartitionHandle handle, std::span<const std::int64_t> offsets) {
  int partition = 0;
  if (!find(handle, &partition)) return;
  channels_[index(partition)].tags.done(offsets);
  if (!history_.healing && history_.choices.detail(2) == 1) send_acks(partition);
}

void SimQueueSource::send_acks(int partition) {
  const Reader& reader = readers_[index(partition)];
  Channel& channel = channels_[index(partition)];
  if (!reader.held || reader.lost || !channel.tags.any_done()) return;
  history_.crash_here(Saw::crash_before_commit);
  std::vector<rabbit::DeliveryTags::Ack> acks;
  channel.tags.take_acks(acks);
  for (const auto& ack : acks) {
    broker_.acknowledge(partition, reader.generation, ack.tag, ack.multiple);
    history_.crash_here(Saw::crash_after_commit);
  }
}

// What comes near the server's limit goes back alone. Its handler goes on.
void SimQueueSource::hand_back(int partition) {
  const Reader& reader = readers_[index(partition)];
  if (!reader.held || reader.lost) return;
  Channel& channel = channels_[index(partition)];
  send_acks(partition);
  const auto tag = channel.tags.hand_back(history_.clock.now());
  if (!tag) return;
  if (auto offset = broker_.requeue(partition, reader.generation, *tag)) channel.again.push_back(*offset);
}

void SimQueueSource::deliver(int partition, std::size_t& room) {
  Reader& reader = readers_[index(partition)];
  Broker::Partition& queue = broker_.partition(partition);
  Channel& channel = channels_[index(partition)];
  const auto readable = [&] { return reader.held && reader.read && !reader.paused; };
  while (room > 0 && readable() && reader.generation == queue.generation) {
    Sent* next = nullptr;
    if (!channel.again.empty()) {
      next = &queue.messages[queue.find(channel.again.front())];
      channel.again.erase(channel.again.begin());
    } else {
      std::size_t at = queue.find(reader.next);
      while (at < queue.messages.size() && queue.messages[at].acknowledged) ++at;
      if (at == queue.messages.size()) break;
      next = &queue.messages[at];
      reader.next = next->offset + 1;
    }
    --room;
    if (!deliver_tagged(partition, *next)) room = 0;
  }
  if (room == 0 || !readable() || reader.announced_end == static_cast<std::int64_t>(channel.last)) return;
  reader.announced_end = static_cast<std::int64_t>(channel.last);
  events_->on_end(reader.handle, reader.announced_end + 1);
}

bool SimQueueSource::deliver_tagged(int partition, Sent& sent) {
  Reader& reader = readers_[index(partition)];
  Channel& channel = channels_[index(partition)];
  if (broker_.copy_is_open(sent)) history_.saw(Saw::copy_waits);
  sent.received = true;
  const std::uint64_t tag = ++channel.last;
  if (!channel.tags.delivered(tag, history_.clock.now())) history_.violate("R1", "a delivery tag out of turn");
  broker_.delivered(partition, reader.generation, tag, sent.offset);
  Message message;
  message.topic = "t";
  message.partition = partition;
  message.offset = static_cast<std::int64_t>(tag);
  if (sent.key != Sent::none) message.key = key_text(sent.key);
  message.payload = payload_text(sent.payload);
  message.timestamp = sent.time;
  const std::string at = std::to_string(sent.offset);
  Header headers[] = {{"at", at}, {"id", std::nullopt}};
  if (sent.id != Sent::none) headers[1].value = id_text(sent.id);
  message.headers = headers;
  history_.trace("node %d    receives %d@%d as tag %d", node_, partition, static_cast<int>(sent.offset), static_cast<int>(tag));
  return events_->on_message(reader.handle, message);
}

}  // namespace idem::sim
