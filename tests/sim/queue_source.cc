#include "sim/queue_source.h"

#include <algorithm>

#include "core/mutant.h"

namespace idem::sim {

// --- Orders of the broker
// -----------------------------------------------------------------------------------------

void QueueSource::order_assign(int partition) {
  broker_.give(partition, node_);
  channel(partition).order = Order::assign;
}

void QueueSource::order_lost(int partition) {
  Channel& c = channel(partition);
  c.order = c.open ? Order::lost : Order::none;
}

void QueueSource::obey_orders() {
  for (int partition = 0; partition < count(); ++partition) {
    Channel& c = channel(partition);
    if (c.order == Order::lost && history_.fault(Fault::late_notice, 2)) continue;
    const Order order = std::exchange(c.order, Order::none);
    if (order == Order::assign) open(partition);
    if (order == Order::lost) lost(partition);
  }
}

void QueueSource::open(int partition) {
  history_.trace("node %d    consumes queue %d", node_, partition);
  AssignedPartition assigned;
  assigned.partition = {"t", partition};
  assigned.log_begin = assigned.initial = 1;
  const auto starts = events_->on_assigned({&assigned, 1});
  Channel& c = channel(partition);
  c.open = starts[0].read;
  c.paused = starts[0].paused;
  c.handle = starts[0].handle;
  c.generation = broker_.partition(partition).generation;
  c.position = 0;
  if (!core::mutated(core::Mutant::tags_survive_channel)) c.tags.clear();
}

void QueueSource::lost(int partition) {
  history_.trace("node %d    has lost the channel of queue %d", node_, partition);
  channel(partition).open = false;
  events_->on_lost({&channel(partition).handle, 1});
}

// --- Source
// -------------------------------------------------------------------------------------------------------

void QueueSource::start(SourceEvents& events, const SourceContext& context) {
  events_ = &events;
  prefetch_ = context.budget_messages;
}

void QueueSource::poll(std::chrono::milliseconds, std::size_t limit) {
  obey_orders();
  const int first = static_cast<int>(history_.choices.detail(static_cast<std::uint32_t>(count())));
  for (int i = 0; i < count(); ++i) {
    const int partition = (first + i) % count();
    send_acks(partition);
    if (history_.fault(Fault::hand_back)) hand_back(partition);
    deliver(partition, limit);
  }
}

void QueueSource::deliver(int partition, std::size_t& room) {
  Channel& c = channel(partition);
  std::size_t fetched = history_.healing ? 64 : 4 - history_.choices.detail(5);
  while (room > 0 && fetched-- > 0 && c.open && !c.paused && c.tags.outstanding() < prefetch_ &&
         broker_.partition(partition).generation == c.generation) {
    const Broker::Delivery delivery = broker_.deliver(partition);
    if (!delivery.sent) break;
    Sent& sent = *delivery.sent;
    if (broker_.copy_is_open(sent)) history_.saw(Saw::copy_waits);
    if (sent.received && broker_.has_ended(sent)) history_.saw(Saw::redelivered);
    sent.received = true;
    c.position = std::max(c.position, sent.offset + 1);
    c.tags.delivered(static_cast<std::uint64_t>(delivery.tag), {});
    history_.trace("node %d    receives %d@%d as delivery %d", node_, partition, static_cast<int>(sent.offset),
                   static_cast<int>(delivery.tag));
    const SimMessage message(sent, delivery.tag, /*with_place=*/true);
    --room;
    if (!events_->on_message(c.handle, *message)) room = 0;
  }
}

void QueueSource::set_paused(PartitionHandle handle, bool paused) {
  for (Channel& c : channels_)
    if (c.open && c.handle == handle) c.paused = paused;
}

void QueueSource::acknowledge(PartitionHandle handle, std::span<const std::int64_t> tags) {
  history_.crash_here(Saw::crash_before_commit);
  for (int partition = 0; partition < count(); ++partition) {
    Channel& c = channel(partition);
    if (!c.open || c.handle != handle) continue;
    c.tags.done(tags);
    if (history_.choices.detail(2) == 1) send_acks(partition);
  }
  history_.crash_here(Saw::crash_after_commit);
}

void QueueSource::send_acks(int partition) {
  Channel& c = channel(partition);
  if (!c.open || !c.tags.any_done()) return;
  std::vector<rabbit::DeliveryTags::Ack> acks;
  c.tags.take_acks(acks);
  for (const auto& ack : acks) send({partition, c.generation, ack, false});
}

void QueueSource::hand_back(int partition) {
  Channel& c = channel(partition);
  if (!c.open) return;
  if (const auto tag = c.tags.hand_back(rabbit::DeliveryTags::TimePoint::max()))
    send({partition, c.generation, {*tag, false}, true});
}

// One connection: in order.
void QueueSource::send(Request request) {
  if (requests_.empty() && !history_.fault(Fault::commit_late, 3)) return handle(request);
  history_.saw(Saw::late_commit);
  requests_.push_back(request);
}

void QueueSource::handle(const Request& r) {
  if (r.hand_back)
    broker_.hand_back(r.partition, r.generation, r.ack.tag);
  else
    broker_.acknowledge(r.partition, r.generation, r.ack.tag, r.ack.multiple);
}

void QueueSource::broker_handles_next() {
  handle(requests_.front());
  requests_.erase(requests_.begin());
}

void QueueSource::stop() {
  for (int partition = 0; partition < count(); ++partition) {
    Channel& c = channel(partition);
    if (!c.open) {
      if (c.order == Order::assign) broker_.take(partition);
      continue;
    }
    if (c.order == Order::lost) {
      lost(partition);
      continue;
    }
    events_->on_revoked({&c.handle, 1});
    send_acks(partition);
    while (requests_pending()) broker_handles_next();
    c.open = false;
    if (broker_.partition(partition).generation == c.generation) broker_.take(partition);
  }
}

}  // namespace idem::sim
