// idem's log lines: the spdlog logger named "idem" if the application registered one, else the default logger.
// Never a payload, a key or a secret; ids only as far as the user chose them to be readable names of messages.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>

namespace idem::runtime {

inline spdlog::logger& log() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto own = spdlog::get("idem");
    return own ? own : spdlog::default_logger();
  }();
  return *logger;
}

}  // namespace idem::runtime
