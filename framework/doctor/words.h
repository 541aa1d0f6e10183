// Amounts in the words of a report, and out of the words of a broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace idem::doctor {

/// The two largest units of it: "7 d", "2 d 3 h", "500 ms".
std::string in_words(std::chrono::milliseconds time);
/// "64 KiB", "1.5 GiB".
std::string bytes_in_words(std::uint64_t bytes);
/// "1 broker", "3 brokers".
std::string counted(std::int64_t number, const std::string& thing);
/// nullopt: it is none, or something follows.
std::optional<std::int64_t> whole_number(std::string_view text);

}  // namespace idem::doctor
