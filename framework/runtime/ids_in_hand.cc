#include "runtime/ids_in_hand.h"

namespace idem::runtime {

std::shared_ptr<void> IdsInHand::take(const IdKey& id) {
  {
    std::lock_guard lock(mutex_);
    if (!taken_.insert(id).second) return nullptr;
  }
  return std::shared_ptr<void>(this, [self = shared_from_this(), id](void*) { self->put_back(id); });
}

void IdsInHand::put_back(const IdKey& id) {
  std::lock_guard lock(mutex_);
  taken_.erase(id);
}

void take_in_hand(IdsInHand& ids, const core::Batch& batch) {
  const core::Lane* stopped = nullptr;  // a lane's deliveries stand together
  for (core::Delivery* d : batch.items) {
    if (d->in_hand || !d->record.id || d->lane == stopped) continue;
    d->in_hand = ids.take(*d->record.id);
    if (!d->in_hand) stopped = d->lane;
  }
}

}  // namespace idem::runtime
