// Which ids are being worked on in this process, by whoever calls somebody outside or answers a repeated request: two that
// have the same id at once must not both call, for neither would know of the other's call.
//
// Each pipeline keeps the copies apart that it receives itself (DeliveryCore); this is about everybody else who uses the
// same ledger: other pipelines, of any runtime, and idem::once.
//
// Threads: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "core/delivery.h"
#include "core/id_map.h"

namespace idem::runtime {

class IdsInHand : public std::enable_shared_from_this<IdsInHand> {
 public:
  /// The one of this ledger: the same for all who ask while the ledger lives.
  static std::shared_ptr<IdsInHand> of(const std::shared_ptr<Ledger>& ledger);

  /// In hand until the answer is destroyed. Null: it is in another hand.
  std::shared_ptr<void> take(const IdKey& id);
  /// The same, and waits until the other one lets go. Null: it has not until `give_up`.
  std::shared_ptr<void> wait_for(const IdKey& id, std::chrono::steady_clock::time_point give_up);

 private:
  std::shared_ptr<void> in_hand(const IdKey& id);
  void put_back(const IdKey& id);

  std::mutex mutex_;
  std::condition_variable put_back_;
  std::unordered_set<IdKey, core::IdKeyHash> taken_;
};

/// Takes what the batch's deliveries have not yet in hand (Delivery::in_hand). In the order of each lane, and nothing
/// behind what is in another hand: who has an id in hand then never waits for one, and two pipelines not for each other.
void take_in_hand(IdsInHand& ids, const core::Batch& batch);

}  // namespace idem::runtime
