#include "doctor/words.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace idem::doctor {

std::string in_words(std::chrono::milliseconds time) {
  static constexpr std::array<std::pair<std::int64_t, const char*>, 5> units{
      {{86'400'000, " d"}, {3'600'000, " h"}, {60'000, " min"}, {1'000, " s"}, {1, " ms"}}};
  const std::int64_t amount = time.count();
  if (amount < 0) return "-" + in_words(-time);
  for (std::size_t i = 0; i < units.size(); ++i) {
    const auto& [size, name] = units[i];
    if (amount < size) continue;
    std::string words = std::to_string(amount / size) + name;
    if (i + 1 == units.size()) return words;
    const auto& [next_size, next_name] = units[i + 1];
    if (const std::int64_t rest = amount % size / next_size; rest > 0) words += " " + std::to_string(rest) + next_name;
    return words;
  }
  return "0 ms";
}

std::string bytes_in_words(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> units{"bytes", "KiB", "MiB", "GiB", "TiB"};
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < units.size(); ++unit) amount /= 1024;
  char words[64];
  std::snprintf(words, sizeof words, "%.*f %s", unit == 0 || amount >= 10 ? 0 : 1, amount, units[unit]);
  return words;
}

std::string counted(std::int64_t number, const std::string& thing) {
  return std::to_string(number) + " " + thing + (number == 1 ? "" : "s");
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}  // namespace idem::doctor
