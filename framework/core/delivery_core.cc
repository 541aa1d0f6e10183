#include "core/delivery_core.h"

#include <algorithm>
#include <utility>

#include "core/mutant.h"

namespace idem::core {
namespace {

std::uint64_t size_in_memory(const Message& m) {
  std::uint64_t size = m.payload.value_or("").size() + m.key.value_or("").size();
  for (const Header& h : m.headers) size += sizeof(Header) + h.name.size() + h.value.value_or("").size();
  return size;
}

}  // namespace

DeliveryCore::DeliveryCore(CoreOptions options)
    : options_(options),
      random_(options.seed),
      lanes_(options.ordering),
      breaker_(options.circuit_breaker),
      ration_(options.circuit_breaker),
      bucket_(options.rate_limit) {}

// --- Assignments ------------------------------------------------------------------------------------------------

Partition& DeliveryCore::assign(const PartitionRef& ref, std::uint32_t slot, Progress progress, std::int64_t start,
                                std::optional<std::int64_t> committed, std::optional<Progress::Range> check) {
  auto it = std::find_if(partitions_.begin(), partitions_.end(), [&](const Partition& p) { return p.ref == ref; });
  if (it == partitions_.end()) {
    partitions_.emplace_back();
    it = std::prev(partitions_.end());
    it->ref = ref;
    it->index = static_cast<std::uint32_t>(partitions_.size() - 1);
  }
  Partition& p = *it;
  if (p.assigned) release(p.handle());
  p.epoch.fetch_add(1, std::memory_order_release);
  p.assigned = p.dispatching = true;
  ++assigned_;
  p.slot = slot;
  p.progress = std::move(progress);
  p.position = start;
  p.committed = committed.value_or(-1);
  p.sent = -1;
  p.finished.clear();
  p.check = check;
  p.at_end = p.paused = false;
  p.newest.reset();
  p.next_return = Timestamp::min();
  return p;
}

Partition* DeliveryCore::find(PartitionHandle handle) {
  if (handle.index >= partitions_.size()) return nullptr;
  Partition& p = partitions_[handle.index];
  return p.assigned && p.handle() == handle ? &p : nullptr;
}

void DeliveryCore::hold(PartitionHandle handle) {
  if (Partition* p = find(handle)) p->dispatching = false;
}

void DeliveryCore::release(PartitionHandle handle) {
  Partition* p = find(handle);
  if (!p) return;
  for (auto& owned : deliveries_) {
    Delivery& d = *owned;
    if (d.handle != handle || d.state == Delivery::State::free || d.state == Delivery::State::dispatched) continue;
    if (d.state == Delivery::State::queued) --queued_;
    ++counters_.abandoned;
    finish(d);
  }
  auto gone = [](const Due& due) { return due.delivery->state != Delivery::State::backing_off; };
  due_.erase(std::remove_if(due_.begin(), due_.end(), gone), due_.end());
  std::make_heap(due_.begin(), due_.end(), std::greater<>{});
  p->epoch.fetch_add(1, std::memory_order_release);
  p->assigned = false;
  --assigned_;
}

// --- Messages ---------------------------------------------------------------------------------------------------

Delivery* DeliveryCore::receive(PartitionHandle handle, const Message& message) {
  Partition* p = find(handle);
  if (!p) {
    ++counters_.stale_completions;
    return nullptr;
  }
  Delivery& d = take_in(*p, message);
  d.record.partition = p->slot;
  d.record.from = p->position;
  p->position = message.offset + 1;
  p->at_end = false;
  if (message.timestamp) p->newest = std::max(p->newest.value_or(*message.timestamp), *message.timestamp);
  ++counters_.received;
  return &d;
}

// Its position was finished when the store took it: nothing of the partition's progress is its affair any more.
Delivery* DeliveryCore::receive_returning(PartitionHandle handle, const Message& message, std::int64_t number) {
  Partition* p = find(handle);
  if (!p) return nullptr;
  Delivery& d = take_in(*p, message);
  if (!mutated(Mutant::returns_as_copy)) d.record.returning = number;
  returning_.insert(number);
  ++p->returning;
  ++counters_.returned;
  return &d;
}

Delivery& DeliveryCore::take_in(Partition& p, const Message& message) {
  if (free_deliveries_.empty()) {
    deliveries_.push_back(std::make_unique<Delivery>());
    free_deliveries_.push_back(deliveries_.back().get());
  }
  Delivery& d = *free_deliveries_.back();
  free_deliveries_.pop_back();
  d.assign(message, p.ref.topic);
  d.bytes = size_in_memory(message);
  d.handle = p.handle();
  d.live_epoch = &p.epoch;
  d.attempts = 0;
  d.verdict = Verdict::none;
  d.must_park.reset();
  d.delay.reset();
  d.claimed = d.maybe_called = d.executed = false;
  d.ration = &ration_;
  d.overdue = d.has_token = false;
  d.failure_counted.reset();
  d.record = Record{};
  d.record.token = reinterpret_cast<std::uintptr_t>(&d);
  d.record.message = &d.message;
  ++messages_;
  ++p.messages;
  bytes_ += d.bytes;
  p.bytes += d.bytes;
  return d;
}

DeliveryCore::Received DeliveryCore::enqueue(Delivery* delivery) {
  Delivery& d = *delivery;
  Partition& p = partitions_[d.handle.index];
  if (options_.stable_positions && d.record.returning == 0 && p.progress.contains(d.message.offset)) {
    const bool other = p.check && p.check->last == d.message.offset && p.check->print != d.record.print;
    p.check.reset();
    ++(other ? counters_.abandoned : counters_.duplicates);
    recycle(d);
    return other ? Received::other_record : Received::duplicate;
  }
  d.state = Delivery::State::queued;
  ++queued_;
  lanes_.enter(p, d);
  enter_flight(d);
  lanes_.update(*d.lane);
  return Received::queued;
}

void DeliveryCore::at_end(PartitionHandle handle, std::int64_t next) {
  Partition* p = find(handle);
  if (!p) return;
  p->at_end = true;
  p->position = std::max(p->position, next);
}

// Copies of one id that are in flight at once: the map knows the earliest, and each knows the one that waits for it.
void DeliveryCore::enter_flight(Delivery& d) {
  d.waits_for_copy = false;
  d.next_copy = nullptr;
  d.in_flight_key = d.record.id;
  if (!d.in_flight_key && options_.stable_positions)
    d.in_flight_key = IdKey{(std::uint64_t{d.handle.index} << 32) | 0x706f73, mix(static_cast<std::uint64_t>(d.message.offset))};
  if (!d.in_flight_key || mutated(Mutant::copy_does_not_wait)) {
    d.in_flight_key.reset();
    return;
  }
  auto [first, fresh] = in_flight_.insert(*d.in_flight_key, &d);
  if (fresh) return;
  Delivery* last = *first;
  while (last->next_copy) last = last->next_copy;
  last->next_copy = &d;
  d.waits_for_copy = true;
}

void DeliveryCore::leave_flight(Delivery& d) {
  if (!d.in_flight_key) return;
  Delivery** first = in_flight_.find(*d.in_flight_key);
  if (*first != &d) {
    Delivery* before = *first;
    while (before->next_copy != &d) before = before->next_copy;
    before->next_copy = d.next_copy;
  } else if (d.next_copy) {
    *first = d.next_copy;
    d.next_copy->waits_for_copy = false;
    lanes_.update(*d.next_copy->lane);
  } else {
    in_flight_.erase(*d.in_flight_key);
  }
  d.next_copy = nullptr;
  d.in_flight_key.reset();
}

void DeliveryCore::finish(Delivery& d) {
  Lane& lane = *d.lane;
  lanes_.leave(d);
  leave_flight(d);
  recycle(d);
  lanes_.update(lane);
}

// What the broker may be told.
void DeliveryCore::note_done(Partition& p, const Delivery& d) {
  if (d.record.returning != 0) return;  // it has been told
  if (options_.stable_positions)
    p.progress.finish(d.record.from, d.message.offset, d.record.print);
  else
    p.finished.push_back(d.message.offset);
}

void DeliveryCore::recycle(Delivery& d) {
  Partition& p = partitions_[d.handle.index];
  --messages_;
  --p.messages;
  bytes_ -= d.bytes;
  p.bytes -= d.bytes;
  d.state = Delivery::State::free;
  d.lane = nullptr;
  d.why.clear();
  d.in_hand.reset();
  d.result.reset();
  if (std::exchange(d.rationed, false)) ration_.give_back();
  if (std::exchange(d.withheld, false)) --withheld_;
  if (std::exchange(d.probe, false) && &d == probe_) {
    probe_ = nullptr;
    breaker_.probe_back();
  }
  if (d.record.returning != 0) {
    returning_.erase(d.record.returning);
    --p.returning;
  }
  free_deliveries_.push_back(&d);
}

// --- Work -------------------------------------------------------------------------------------------------------

std::size_t DeliveryCore::run_length() const {
  // Everybody gets a share of what is there, so that no worker waits while another has a long run.
  const std::size_t takers = std::clamp<std::size_t>(options_.workers, 1, std::max<std::size_t>(lanes_.ready(), 1));
  return std::clamp<std::size_t>((queued_ + takers - 1) / takers, 1, run_limit_);
}

Batch* DeliveryCore::next_batch() {
  if (!lanes_.first_ready() || batches_out_ >= 2 * options_.workers) return nullptr;
  const bool probing = breaker_.state() != Breaker::State::closed;
  if (probing && !probe_is_ready()) return nullptr;
  const std::size_t limit = probing ? 1 : run_length();
  if (free_batches_.empty()) {
    batches_.push_back(std::make_unique<Batch>());
    free_batches_.push_back(batches_.back().get());
  }
  Batch* batch = free_batches_.back();
  bool full = false;
  while (lanes_.first_ready() && !full && batch->items.size() < limit) {
    Lane& lane = *lanes_.first_ready();
    Delivery* const first = lane.runnable() ? lane.first_runnable() : nullptr;
    if (first && first->record.alone && !batch->items.empty()) break;  // begins the next batch
    if (first && !affordable(*first)) break;
    lanes_.pop_ready();
    if (!first) {
      lanes_.update(lane);  // an empty lane is given back
      continue;
    }
    for (Delivery* d = first; d && !full && Lane::may_run(*d) && batch->items.size() < limit; d = d->next) {
      if (d->record.alone && !batch->items.empty()) break;
      if (!affordable(*d)) break;
      if (!std::exchange(d->has_token, true)) bucket_.take();
      if (probing) send_probe(*d);
      full = d->record.alone;  // whose group failed is not to share the blame, nor to give it
      d->state = Delivery::State::dispatched;
      ++lane.running;
      --queued_;
      ++dispatched_;
      if (mutated(Mutant::done_before_durable) || (mutated(Mutant::parked_before_durable) && d->must_park))
        note_done(partitions_[d->handle.index], *d);
      batch->items.push_back(d);
    }
  }
  if (batch->items.empty()) return nullptr;
  free_batches_.pop_back();
  ++batches_out_;
  return batch;
}

void DeliveryCore::complete(const Completion& completion, Ticks now) {
  Delivery& d = *completion.delivery;
  Lane& lane = *d.lane;
  Partition& p = partitions_[d.handle.index];
  --lane.running;
  --dispatched_;
  auto kind = completion.kind;
  settle_ration(d, kind);
  if (d.stale() && !(mutated(Mutant::stale_completion_counts) && p.assigned)) {
    ++counters_.stale_completions;
    ++counters_.abandoned;
    // The next assignment has asked while this one was in hand, or not yet in the store.
    if (d.record.returning != 0 || d.verdict == Verdict::delayed) p.next_return = Timestamp::min();
    finish(d);
    return;
  }
  if (kind == Completion::Kind::not_applied && mutated(Mutant::not_applied_is_done)) kind = Completion::Kind::durable;
  if (kind == Completion::Kind::not_applied && d.verdict == Verdict::delayed && mutated(Mutant::delayed_before_durable))
    kind = Completion::Kind::durable;
  if (kind == Completion::Kind::store_busy && mutated(Mutant::busy_is_dropped)) kind = Completion::Kind::durable;
  if (&d == probe_) breaker_.probe_back();
  switch (kind) {
    case Completion::Kind::durable:
      if (d.verdict == Verdict::claimed && !mutated(Mutant::claim_is_done)) {  // now its handler may be called
        d.verdict = Verdict::none;
        d.state = Delivery::State::queued;
        ++queued_;
        break;
      }
      note_done(p, d);
      if (d.verdict == Verdict::done) d.overdue ? note_failure(d, now) : note_success(d, now);
      ++(d.verdict == Verdict::duplicate ? counters_.duplicates
         : d.verdict == Verdict::parked  ? counters_.parked
         : d.verdict == Verdict::delayed ? counters_.delayed
                                         : counters_.done);
      if (d.verdict == Verdict::delayed) {
        ++counters_.retries;
        p.next_return = std::min(p.next_return.value_or(d.due), d.due);
      }
      if (d.verdict == Verdict::parked && d.park_reason == ParkReason::id_conflict) ++counters_.conflicts;
      if (d.verdict == Verdict::parked && d.park_reason == ParkReason::undecidable) ++counters_.undecidable;
      finish(d);
      return;
    case Completion::Kind::retry:
      ++counters_.retries;
      ++d.attempts;
      d.message.attempt = d.attempts + 1;
      d.overdue = d.has_token = false;
      if (d.attempts >= options_.retry.attempts) {
        ++counters_.parkings_withheld;
        if (!std::exchange(d.withheld, true)) ++withheld_;
      }
      note_failure(d, now);
      back_off(d, d.delay.value_or(backoff(d.attempts)), now);
      break;
    case Completion::Kind::store_busy:
      back_off(d, options_.retry.max_backoff < std::chrono::milliseconds(500) ? options_.retry.max_backoff
                                                                              : std::chrono::milliseconds(500), now);
      break;
    case Completion::Kind::not_applied:
      ++counters_.not_applied;
      if (d.verdict == Verdict::claimed) d.claimed = false;
      else d.has_token = false;  // its handler is called once more
      d.overdue = false;
      d.record.alone = true;
      [[fallthrough]];
    case Completion::Kind::returned:
      d.state = Delivery::State::queued;
      ++queued_;
      break;
  }
  lanes_.update(lane);
}

void DeliveryCore::batch_done(Batch* batch, std::chrono::nanoseconds took) {
  const double sample = static_cast<double>(took.count()) / static_cast<double>(batch->items.size());
  // Slower counts at once, faster only gradually: a long run of slow messages holds up its lanes.
  cost_ns_ = sample > cost_ns_ ? sample : 0.75 * cost_ns_ + 0.25 * sample;
  const double fits = std::chrono::duration<double, std::nano>(options_.run_target).count() / std::max(cost_ns_, 1.0);
  const auto longest = static_cast<double>(std::min(options_.longest_run, 2 * run_limit_));
  run_limit_ = static_cast<std::size_t>(std::clamp(fits, 1.0, longest));
  batch->items.clear();
  free_batches_.push_back(batch);
  --batches_out_;
}

void DeliveryCore::back_off(Delivery& d, std::chrono::milliseconds delay, Ticks now) {
  d.state = Delivery::State::backing_off;
  d.delay.reset();
  due_.push_back({now + delay, &d});
  std::push_heap(due_.begin(), due_.end(), std::greater<>{});
}

std::chrono::milliseconds DeliveryCore::backoff(int attempts) {
  const RetryPolicy& policy = options_.retry;
  double delay = static_cast<double>(policy.first_backoff.count());
  for (int i = 1; i < attempts && delay < static_cast<double>(policy.max_backoff.count()); ++i) delay *= 2;
  delay = std::min(delay, static_cast<double>(policy.max_backoff.count()));
  delay *= 1 - policy.jitter * std::uniform_real_distribution<double>(0, 1)(random_);
  return std::chrono::milliseconds(static_cast<std::int64_t>(delay));
}

void DeliveryCore::tick(Ticks now) {
  now_ = now;
  bucket_.tick(now);
  ration_.tick(now);
  if (breaker_.give_probe_up(now)) probe_ = nullptr;  // it stays a probe: a success of it still counts
  breaker_.tick(now);
  while (!due_.empty() && due_.front().at <= now) {
    Delivery& d = *due_.front().delivery;
    std::pop_heap(due_.begin(), due_.end(), std::greater<>{});
    due_.pop_back();
    d.state = Delivery::State::queued;
    ++queued_;
    lanes_.update(*d.lane);
  }
}

std::optional<Ticks> DeliveryCore::next_due() const {
  std::optional<Ticks> next = breaker_.next_due();
  const auto consider = [&next](Ticks at) { next = std::min(next.value_or(at), at); };
  if (!due_.empty()) consider(due_.front().at);
  if (bucket_.empty() && lanes_.first_ready()) consider(bucket_.next());
  return next;
}

// --- Flow -------------------------------------------------------------------------------------------------------

std::size_t DeliveryCore::room() const {
  return options_.budget.messages > messages_ ? options_.budget.messages - messages_ : 0;
}

bool DeliveryCore::wants_pause(const Partition& partition) const {
  if (room() == 0 || !room_in_bytes()) return true;
  // A partition may use half of what the others leave (all of it when it is the only one): one stuck partition then
  // cannot starve the others, and a busy one is not limited by idle ones.
  const auto over = [&](std::size_t own, std::size_t used, std::size_t total) {
    const std::size_t others = used - own;
    const std::size_t left = total > others ? total - others : 0;
    const std::size_t share = std::max<std::size_t>(assigned_ > 1 ? left / 2 : left, 1);
    return partition.paused ? own > share / 2 : own >= share;
  };
  return over(partition.messages, messages_, options_.budget.messages) ||
         over(partition.bytes, bytes_, options_.budget.bytes);
}

// --- Commits ----------------------------------------------------------------------------------------------------

std::int64_t DeliveryCore::committable(const Partition& p) const {
  if (mutated(Mutant::prefix_skips_gap)) return p.progress.ranges().back().end;
  if (mutated(Mutant::one_too_far)) return p.progress.watermark() + 1;
  return p.progress.watermark();
}

std::optional<DeliveryCore::Skip> DeliveryCore::skippable(const Partition& p) const {
  if (!options_.stable_positions || !p.at_end || p.messages > 0 || p.position <= p.progress.watermark())
    return std::nullopt;
  return Skip{p.progress.watermark(), p.position};
}

void DeliveryCore::skipped(PartitionHandle handle, Skip skip) {
  if (Partition* p = find(handle)) p->progress.skip(skip.from, skip.to);
}

std::size_t DeliveryCore::dispatched(PartitionHandle handle) const {
  return static_cast<std::size_t>(std::count_if(deliveries_.begin(), deliveries_.end(), [&](const auto& d) {
    return d->handle == handle && d->state == Delivery::State::dispatched;
  }));
}

Counters DeliveryCore::counters() const {
  Counters counters = counters_;
  counters.in_flight = messages_;
  counters.bytes_in_flight = bytes_;
  counters.breaker_opened = breaker_.opened();
  counters.breaker_closed = breaker_.closed();
  return counters;
}

}  // namespace idem::core
