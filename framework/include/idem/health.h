// How a runtime is, in one word and the reasons for it: for a health endpoint, a supervisor, an alarm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace idem {

struct Health {
  enum class Level {
    green,   ///< nothing to say
    yellow,  ///< it works, and somebody should look: a handler is overdue, a circuit breaker is not closed, or messages
             ///< with their attempts used up are not parked because too few others succeed
    red,     ///< the run has ended with an error; nothing is processed any more
  };
  Level level = Level::green;        ///< the worst there is a reason for
  std::vector<std::string> reasons;  ///< a line each, for a person; no payloads, keys or ids. Empty while green.
};
std::string_view to_string(Health::Level level);

}  // namespace idem
