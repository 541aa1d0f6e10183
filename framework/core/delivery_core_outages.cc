// What the core makes of the circuit breaker, and of the ration of parkings.
#include <utility>

#include "core/delivery_core.h"

namespace idem::core {

// One that has not been tried is asked before one that has: it may be only those that fail.
bool DeliveryCore::probe_is_ready() {
  if (breaker_.state() == Breaker::State::open) return false;
  if (probe_)
    return probe_->state == Delivery::State::queued &&
           lanes_.bring_forward([this](const Delivery& d) { return &d == probe_; });
  lanes_.bring_forward([](const Delivery& d) { return d.attempts == 0; });
  return true;
}

void DeliveryCore::send_probe(Delivery& d) {
  probe_ = &d;
  if (!std::exchange(d.probe, true)) ++counters_.probes;
  breaker_.probe_sent(now_);
}

void DeliveryCore::note_success(Delivery& d, Ticks now) {
  ration_.succeeded();
  if (!d.probe) return breaker_.succeeded(now);
  breaker_.probe_succeeded(now);
  ration_.hold(breaker_.state() != Breaker::State::closed);
}

// A probe that was given up has failed already.
void DeliveryCore::note_failure(Delivery& d, Ticks now) {
  if (!d.probe) {
    breaker_.failed(now, d.failure_counted);
  } else if (&d == probe_) {
    breaker_.probe_failed(now);
    probe_ = nullptr;
  }
  d.probe = false;
  ration_.hold(breaker_.state() != Breaker::State::closed);
}

// What was taken from the ration is spent by a parking that is durable, and by nothing else.
void DeliveryCore::settle_ration(Delivery& d, Completion::Kind kind) {
  if (!d.rationed) return;
  const bool parked = d.verdict == Verdict::parked && d.park_reason == ParkReason::attempts_exhausted;
  if (kind == Completion::Kind::returned && d.must_park) return;  // to be parked in the next batch
  d.rationed = false;
  if (kind != Completion::Kind::durable || !parked) ration_.give_back();
}

}  // namespace idem::core
