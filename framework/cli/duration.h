// Times as people write them.
#pragma once

#include <chrono>
#include <string>

namespace idem::cli {

/// "7d", "12h", "90min", "30s", "500ms". Throws std::invalid_argument that says what would be right.
std::chrono::milliseconds parse_duration(const std::string& text);

}  // namespace idem::cli
