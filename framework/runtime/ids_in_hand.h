// Which ids the pipelines of one runtime are busy with, where they share a ledger and call somebody outside: an id that
// comes from two sources at once must not be called by both, for neither would know of the other's call.
//
// Each pipeline keeps the copies apart that it receives itself (DeliveryCore); this is about those of the others.
//
// Threads: any.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_set>

#include "core/delivery.h"
#include "core/id_map.h"

namespace idem::runtime {

class IdsInHand : public std::enable_shared_from_this<IdsInHand> {
 public:
  /// In hand until the answer is destroyed. Null: it is in another hand.
  std::shared_ptr<void> take(const IdKey& id);

 private:
  void put_back(const IdKey& id);

  std::mutex mutex_;
  std::unordered_set<IdKey, core::IdKeyHash> taken_;
};

/// Takes what the batch's deliveries have not yet in hand (Delivery::in_hand). In the order of each lane, and nothing
/// behind what is in another hand: who has an id in hand then never waits for one, and two pipelines not for each other.
void take_in_hand(IdsInHand& ids, const core::Batch& batch);

}  // namespace idem::runtime
