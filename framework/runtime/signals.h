// SIGTERM and SIGINT as a call, for run_until_signal().
#pragma once

#include <functional>
#include <memory>

namespace idem::runtime {

/// While it lives, the first SIGTERM or SIGINT calls `on_signal` on a thread of its own; a second one ends the process
/// at once with 128 + signal. The earlier handlers come back with the destructor. One at a time per process.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void()> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace idem::runtime
