// What a message of the kill harness asks of the handler. It stands in the payload, so that every copy of an id
// behaves alike in every life of the consumer, and the sender knows beforehand how the message has to end.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace idem::kills {

enum class Act {
  apply,         // write the effect
  retry_first,   // the first call asks for a retry and has written nothing
  write_retry,   // the first call writes the effect and asks for a retry: it has to be rolled back
  write_throw,   // the first call writes the effect and throws
  throw_int,     // the first call throws something that is not an exception
  write_refuse,  // every call writes the effect and asks for the parking lot
  never,         // every call writes the effect and asks for a retry, until the attempts are used up
};

inline constexpr std::array<std::string_view, 7> act_names = {"apply",     "retry_first",  "write_retry", "write_throw",
                                                              "throw_int", "write_refuse", "never"};

inline bool ends_parked(Act act) { return act == Act::write_refuse || act == Act::never; }

/// "<amount> <act> <filler>"
struct Payload {
  std::int64_t amount = 0;
  Act act = Act::apply;

  std::string text(std::string_view filler) const {
    std::string text = std::to_string(amount) + ' ';
    return text.append(act_names[static_cast<std::size_t>(act)]).append(" ").append(filler);
  }

  static std::optional<Payload> parse(std::string_view text) {
    Payload payload;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), payload.amount);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    const std::string_view name = text.substr(0, text.find(' '));
    for (std::size_t i = 0; i < act_names.size(); ++i) {
      if (act_names[i] != name) continue;
      payload.act = static_cast<Act>(i);
      return payload;
    }
    return std::nullopt;
  }
};

}  // namespace idem::kills
