// The calls that the killed consumer made, as the called service wrote them down: one line each, before it answered.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "kills/checker.h"

namespace idem::kills {

struct Call {
  // Calls are written down as they arrive. One of a process that was killed may arrive after one of the next process:
  // what was made earlier is told by the life of the consumer and by the number within it.
  int life = 0, number = 0;
  int attempt = 1;
  bool maybe_executed = false;  ///< as the consumer said
  std::string key;              ///< the idempotency key; no spaces in it, nor in the id
  Effect of;                    ///< of the message: its id, where it lay, its key and amount
  enum class End {
    effect,   ///< it took effect
    known,    ///< its key had its effect before
    refused,  ///< no effect
  } end = End::effect;
  bool answered = true;  ///< false: the connection was closed instead
};

std::ostream& operator<<(std::ostream& out, const Call& call);
std::istream& operator>>(std::istream& in, Call& call);

/// As they arrived. A last line that is not whole is left out. Throws std::runtime_error for what cannot be read.
std::vector<Call> calls_in(const std::filesystem::path& record);

/// In the order in which they were had.
std::vector<Effect> effects_of(const std::vector<Call>& calls);

/// Every call of an id but its first one says maybe_executed, an id has one key, and a key one id. Pure.
struct CallVerdict {
  Verdict verdict;
  std::size_t repeats = 0;     ///< calls after the first one of their id
  std::size_t unanswered = 0;  ///< calls that had their effect, or had had it, and whose answer was lost
};
CallVerdict check_calls(const std::vector<Call>& calls);

}  // namespace idem::kills
