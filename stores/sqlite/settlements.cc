#include "sqlite/settlements.h"

#include <algorithm>
#include <utility>

namespace idem::sqlite {
namespace {
constexpr std::size_t spares_kept = 16;
}

void Settlements::post(std::vector<Batch>& batches) {
  std::lock_guard lock(mutex_);
  for (Batch& batch : batches) {
    if (batch.settlements.empty()) continue;
    queue_.push_back({batch.listener, std::move(batch.settlements)});
    batch.settlements.clear();
    if (spare_.empty()) continue;
    batch.settlements = std::move(spare_.back());
    spare_.pop_back();
  }
  pending_.store(!queue_.empty(), std::memory_order_release);
}

void Settlements::deliver() noexcept {
  if (!pending_.load(std::memory_order_acquire)) return;
  std::unique_lock lock(mutex_);
  if (delivering_to_ != nullptr) return;  // that thread will come to these, too
  deliverer_ = std::this_thread::get_id();
  while (!queue_.empty()) {
    Batch batch = std::move(queue_.front());
    queue_.pop_front();
    delivering_to_ = batch.listener;
    lock.unlock();
    batch.listener->on_settled(batch.settlements);
    lock.lock();
    delivering_to_ = nullptr;
    batch.settlements.clear();
    if (spare_.size() < spares_kept) spare_.push_back(std::move(batch.settlements));
    delivered_.notify_all();
  }
  deliverer_ = {};
  pending_.store(false, std::memory_order_release);
}

bool Settlements::on_its_way(const SettleListener& listener) const {
  if (deliverer_ == std::this_thread::get_id()) return false;  // asked from inside on_settled
  if (delivering_to_ == &listener) return true;
  return std::any_of(queue_.begin(), queue_.end(), [&](const Batch& b) { return b.listener == &listener; });
}

void Settlements::wait_delivered(const SettleListener& listener) {
  deliver();
  std::unique_lock lock(mutex_);
  delivered_.wait(lock, [&] { return !on_its_way(listener); });
}

}  // namespace idem::sqlite
