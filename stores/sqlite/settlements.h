// What became of records, on its way to those who wait for it: in the order of the commits, with no lock held.
//
// post() is called under the write turn, deliver() after it was left, by whichever thread comes by. One thread
// delivers at a time, so two commits by two threads cannot overtake each other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <idem/store.h>

namespace idem::sqlite {

class Settlements {
 public:
  /// The settlements of one group for one listener.
  struct Batch {
    SettleListener* listener = nullptr;
    std::vector<Settlement> settlements;
  };

  /// Takes the batches; leaves empty vectors with their capacity behind for the next group.
  void post(std::vector<Batch>& batches);
  void deliver() noexcept;
  /// Waits until nothing is on its way to the listener: after this it may be destroyed, if nothing of it is in the
  /// open group.
  void wait_delivered(const SettleListener& listener);

 private:
  bool on_its_way(const SettleListener& listener) const;

  std::atomic<bool> pending_{false};
  mutable std::mutex mutex_;
  std::condition_variable delivered_;
  std::deque<Batch> queue_;
  std::vector<std::vector<Settlement>> spare_;
  SettleListener* delivering_to_ = nullptr;
  std::thread::id deliverer_;
};

}  // namespace idem::sqlite
