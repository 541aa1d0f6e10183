// Asking a store again that is busy for the moment (a full disk, a locked file) before a start fails with it.
#pragma once

#include <chrono>

#include <idem/store.h>

namespace idem::runtime {

/// What `attempt` returns. A transient StoreError is answered by `wait` and another attempt, ten in all; the last
/// one's error and any other is thrown.
template <typename Attempt, typename Wait>
auto ask_store(Attempt attempt, Wait wait) {
  for (int tries = 1;; ++tries) {
    try {
      return attempt();
    } catch (const StoreError& e) {
      if (!e.transient() || tries == 10) throw;
    }
    wait(std::chrono::milliseconds(200));
  }
}

}  // namespace idem::runtime
