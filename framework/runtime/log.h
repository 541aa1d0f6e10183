// idem's log lines: the spdlog logger named "idem" if the application registered one, else the default logger.
// Never a payload, a key or a secret; ids only as far as the user chose them to be readable names of messages.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace idem::runtime {

/// Names and reasons may come from elsewhere: what is not printable would be obeyed by a terminal.
inline std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

inline spdlog::logger& log() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto own = spdlog::get("idem");
    return own ? own : spdlog::default_logger();
  }();
  return *logger;
}

}  // namespace idem::runtime
