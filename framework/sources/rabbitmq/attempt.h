// An attempt to connect, on a thread of its own: the I/O thread goes on taking in what workers finish meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "sources/rabbitmq/establish.h"

namespace idem::rabbit {

class Attempt {
 public:
  struct Result {
    std::unique_ptr<Connection> connection;  ///< or
    std::optional<Failure> failure;
  };

  /// Says goodbye on `old` (may be null) first. `on_end` is called from the thread when there is a result.
  Attempt(const Configuration& configuration, Wish wish, std::unique_ptr<Connection> old, std::function<void()> on_end);
  /// Waits until the attempt has ended, which takes some seconds at most.
  ~Attempt();

  /// nullopt: still at it. Once.
  std::optional<Result> take();

 private:
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::optional<Result> result_;
  std::thread thread_;
};

}  // namespace idem::rabbit
