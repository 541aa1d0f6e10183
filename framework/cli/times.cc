#include "cli/times.h"

#include <time.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "cli/duration.h"

namespace idem::cli {
namespace {

using std::chrono::milliseconds;
constexpr Timestamp year_0{milliseconds(-62'167'219'200'000)}, year_10000{milliseconds(253'402'300'800'000)};

/// What may follow the seconds: "Z", ".123Z".
std::optional<milliseconds> parse_fraction(std::string_view text) {
  if (!text.ends_with('Z')) return std::nullopt;
  text.remove_suffix(1);
  int count = 0;
  if (text.empty()) return milliseconds(0);
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), count);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && text.size() == 4 && count >= 0;
  return whole && text.front() == '.' ? std::optional(milliseconds(count)) : std::nullopt;
}

std::optional<Timestamp> parse_utc(const std::string& text) {
  std::tm parts{};
  std::optional<milliseconds> fraction = milliseconds(0);
  if (const char* end = ::strptime(text.c_str(), "%Y-%m-%d", &parts); end == nullptr) return std::nullopt;
  else if (*end != '\0') {
    end = ::strptime(end, "T%H:%M:%S", &parts);
    fraction = end != nullptr ? parse_fraction(end) : std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(parts.tm_year + 1900),
                                         std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(parts.tm_mday)));
  if (!fraction || !date.ok()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(parts.tm_hour) +
         std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec) + *fraction;
}

}  // namespace

std::string in_utc(Timestamp time) {
  if (time < year_0 || time >= year_10000) return std::to_string(time.time_since_epoch().count()) + " ms";
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

Timestamp parse_time(const std::string& text, Timestamp now) {
  if (const auto time = parse_utc(text)) return *time;
  try {
    return now - parse_duration(text);
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument("\"" + text +
                                "\" is no age and no time: write 3d, 12h, 90m or 45s, or a time in UTC as list shows "
                                "it (2026-11-28T10:15:00Z, or 2026-11-28)");
  }
}

}  // namespace idem::cli
