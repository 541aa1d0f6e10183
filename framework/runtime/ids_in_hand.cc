#include "runtime/ids_in_hand.h"

#include <vector>

namespace idem::runtime {

std::shared_ptr<IdsInHand> IdsInHand::of(const std::shared_ptr<Ledger>& ledger) {
  struct Entry {
    std::weak_ptr<Ledger> ledger;
    std::shared_ptr<IdsInHand> ids;
  };
  static std::mutex mutex;
  static std::vector<Entry> entries;
  std::lock_guard lock(mutex);
  std::erase_if(entries, [](const Entry& entry) { return entry.ledger.expired(); });
  for (const Entry& entry : entries)
    if (!entry.ledger.owner_before(ledger) && !ledger.owner_before(entry.ledger)) return entry.ids;
  return entries.emplace_back(ledger, std::make_shared<IdsInHand>()).ids;
}

std::shared_ptr<void> IdsInHand::take(const IdKey& id) {
  {
    std::lock_guard lock(mutex_);
    if (!taken_.insert(id).second) return nullptr;
  }
  return in_hand(id);
}

std::shared_ptr<void> IdsInHand::wait_for(const IdKey& id, std::chrono::steady_clock::time_point give_up) {
  {
    std::unique_lock lock(mutex_);
    if (!put_back_.wait_until(lock, give_up, [&] { return taken_.insert(id).second; })) return nullptr;
  }
  return in_hand(id);
}

std::shared_ptr<void> IdsInHand::in_hand(const IdKey& id) {
  return std::shared_ptr<void>(this, [self = shared_from_this(), id](void*) { self->put_back(id); });
}

void IdsInHand::put_back(const IdKey& id) {
  std::lock_guard lock(mutex_);
  taken_.erase(id);
  put_back_.notify_all();
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
