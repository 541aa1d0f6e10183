#include "core/breaker.h"

#include <algorithm>
#include <utility>

namespace idem::core {

void Breaker::failed(Ticks now, std::optional<Ticks>& counted) {
  if (state_ != State::closed || !options_.enabled) return;
  if (now >= slot_end_) begin_slot(now);
  if (counted && *counted >= counting_since_ && now - *counted < options_.window) return;
  counted = now;
  ++slot().failed;
  const Window seen = window();
  if (seen.failed < static_cast<std::uint64_t>(options_.minimum_failures)) return;
  if (static_cast<double>(seen.failed) < options_.failure_share * static_cast<double>(seen.tried)) return;
  opened_by_ = seen;
  ++opened_;
  pause_ = options_.first_pause;
  open(BreakerChange::Kind::opened, now);
}

// After a long time without a message all slots are old, however many there would have been meanwhile.
void Breaker::begin_slot(Ticks now) {
  const Ticks::duration length = Ticks::duration(options_.window) / slots_.size();
  if (now - slot_end_ >= options_.window) {
    slots_.fill({});
    slot_end_ = now + length;
    return;
  }
  for (; slot_end_ <= now; slot_end_ += length) {
    at_ = (at_ + 1) % slots_.size();
    slot() = {};
  }
}

Breaker::Window Breaker::window() const {
  Window sum;
  for (const Slot& s : slots_) {
    sum.failed += s.failed;
    sum.tried += s.failed + s.succeeded;
  }
  return sum;
}

void Breaker::open(BreakerChange::Kind why, Ticks now) {
  state_ = State::open;
  until_ = now + pause_;
  successes_ = 0;
  changes_.push_back({why, pause_});
  pause_ = std::min(2 * pause_, options_.max_pause);
}

void Breaker::close(Ticks now) {
  state_ = State::closed;
  until_ = Ticks::max();
  slots_.fill({});
  counting_since_ = now;
  ++closed_;
  changes_.push_back({BreakerChange::Kind::closed, {}});
}

void Breaker::tick(Ticks now) {
  if (state_ != State::open || now < until_) return;
  state_ = State::half_open;
  until_ = Ticks::max();
}

void Breaker::probe_sent(Ticks now) { until_ = now + options_.max_pause; }

void Breaker::probe_back() {
  if (state_ == State::half_open) until_ = Ticks::max();
}

void Breaker::probe_succeeded(Ticks now) {
  if (state_ == State::closed) return;
  if (state_ == State::open) until_ = Ticks::max();
  state_ = State::half_open;
  if (++successes_ >= options_.probes) close(now);
}

void Breaker::probe_failed(Ticks now) {
  if (state_ == State::half_open) open(BreakerChange::Kind::probe_failed, now);
}

bool Breaker::give_probe_up(Ticks now) {
  if (state_ != State::half_open || now < until_) return false;
  open(BreakerChange::Kind::probe_overdue, now);
  return true;
}

std::optional<Ticks> Breaker::next_due() const {
  if (until_ == Ticks::max()) return std::nullopt;
  return until_;
}

std::vector<BreakerChange> Breaker::take_changes() { return std::exchange(changes_, {}); }

}  // namespace idem::core
