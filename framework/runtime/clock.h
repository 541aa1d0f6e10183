// Time as the runtime sees it, so that a simulation can own it.
#pragma once

#include <chrono>

#include <idem/message.h>

#include "core/delivery.h"

namespace idem::runtime {

class Clock {
 public:
  virtual core::Ticks now() = 0;  ///< monotone
  virtual Timestamp wall() = 0;   ///< may jump
 protected:
  ~Clock() = default;
};

class SystemClock final : public Clock {
 public:
  core::Ticks now() override { return std::chrono::steady_clock::now(); }
  Timestamp wall() override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace idem::runtime
