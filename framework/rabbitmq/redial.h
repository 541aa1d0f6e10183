// Which address of a server to try next, and when: all in turn, with pauses that double up to a limit.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <string>

#include "rabbitmq/connection.h"

namespace idem::rabbit {

class Redial {
 public:
  using Clock = std::chrono::steady_clock;

  /// `server` outlives it.
  Redial(const Server& server, std::chrono::milliseconds longest_pause)
      : server_(server), longest_pause_(longest_pause), random_(std::random_device{}()) {}

  /// At the start: each address once, without pauses. `attempt(address)` throws Failure. Throws std::runtime_error when
  /// none can be reached, or the first one that can refuses.
  template <class Attempt>
  void begin(Attempt attempt, const std::string& hint = {}) {
    std::string failures;
    for (std::size_t i = 0; i < server_.addresses.size(); ++i) {
      try {
        return attempt(address());
      } catch (const Failure& failure) {
        if (failure.code != 0) throw std::runtime_error(server_.owner.what + ": " + failure.what());
        failures += (failures.empty() ? "" : "; ") + std::string(failure.what());
        next_address();
      }
    }
    throw std::runtime_error(server_.not_reached(failures) + hint);
  }

  const Address& address() const { return server_.addresses[next_]; }
  Clock::time_point due() const { return due_; }

  /// A connection that was good is gone: at once, and there first.
  void lost() {
    failures_ = 0;
    due_ = Clock::now();
  }
  void failed() {
    ++failures_;
    next_address();
    const auto pause = std::min<std::chrono::milliseconds>(first_pause * (1 << std::min(failures_, 16)), longest_pause_);
    // Up to half of it is left out at random: many clients lose one server at the same moment.
    due_ = Clock::now() + pause / 2 + pause * std::uniform_int_distribution<int>(0, 100)(random_) / 200;
  }

 private:
  static constexpr std::chrono::milliseconds first_pause{50};
  void next_address() { next_ = (next_ + 1) % server_.addresses.size(); }

  const Server& server_;
  const std::chrono::milliseconds longest_pause_;
  std::mt19937 random_;
  std::size_t next_ = 0;
  int failures_ = 0;
  Clock::time_point due_{};
};

}  // namespace idem::rabbit
