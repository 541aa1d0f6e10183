#include "cli/duration.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace idem::cli {

std::chrono::milliseconds parse_duration(const std::string& text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 6> units{
      {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, size] : units)
    if (error == std::errc{} && number >= 0 && unit == name &&
        number <= std::numeric_limits<std::int64_t>::max() / size)
      return std::chrono::milliseconds(number * size);
  throw std::invalid_argument("\"" + text +
                              "\" is no time: write a number and its unit, such as 7d, 12h, 30min, 10s or 500ms");
}

}  // namespace idem::cli
