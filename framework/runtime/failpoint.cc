#include "runtime/failpoint.h"

#ifdef IDEM_FAILPOINTS

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

namespace idem::failpoint {
namespace {

struct Point {
  bool kill = false;
  bool keeps_failing = false;
  long at = 1;
  long hits = 0;
};

struct Points {
  std::mutex mutex;
  std::map<std::string, Point, std::less<>> by_name;
};

Points& points() {
  static Points* all = new Points;  // outlives every thread
  return *all;
}

Point parse_action(std::string_view text) {
  Point point;
  std::string_view action = text.substr(0, text.find('@'));
  if (action == "kill") point.kill = true;
  else if (action != "error") throw std::invalid_argument("failpoint action must be kill or error: " + std::string(text));
  if (action.size() == text.size()) return point;
  std::string_view number = text.substr(action.size() + 1);
  if (number.ends_with('+')) {
    point.keeps_failing = true;
    number.remove_suffix(1);
  }
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), point.at);
  if (error != std::errc{} || end != number.data() + number.size() || point.at < 1)
    throw std::invalid_argument("failpoint hit must be a number from 1: " + std::string(text));
  return point;
}

const bool armed_from_environment = [] {
  if (const char* specification = std::getenv("IDEM_FAILPOINT")) arm(specification);
  return true;
}();

}  // namespace

std::atomic<bool> armed{false};

void arm(std::string_view specification) {
  std::map<std::string, Point, std::less<>> parsed;
  while (!specification.empty()) {
    std::string_view item = specification.substr(0, specification.find(','));
    specification.remove_prefix(std::min(item.size() + 1, specification.size()));
    auto colon = item.find(':');
    if (colon == std::string_view::npos) throw std::invalid_argument("failpoint without action: " + std::string(item));
    parsed.emplace(item.substr(0, colon), parse_action(item.substr(colon + 1)));
  }
  std::lock_guard lock(points().mutex);
  points().by_name = std::move(parsed);
  armed.store(!points().by_name.empty(), std::memory_order_relaxed);
}

bool hit(std::string_view name) noexcept {
  std::lock_guard lock(points().mutex);
  auto it = points().by_name.find(name);
  if (it == points().by_name.end()) return false;
  Point& point = it->second;
  ++point.hits;
  bool now = point.hits == point.at || (point.keeps_failing && point.hits > point.at);
  if (now && point.kill) ::kill(::getpid(), SIGKILL);
  return now;
}

}  // namespace idem::failpoint

#endif
