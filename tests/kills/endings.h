// Decides how the lives of the consumer end: half of them at a failpoint, each in turn, the rest by SIGKILL at a
// random microsecond.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "kills/failpoints.h"

namespace idem::kills {

struct Ending {
  const Failpoint* point = nullptr;                          ///< where it is to die; nullptr: by SIGKILL from outside
  std::string failpoints;                                    ///< IDEM_FAILPOINT of this life; empty: none
  std::chrono::microseconds kill_after{0};                   ///< how long it may live at most
  std::optional<std::chrono::microseconds> terminate_after;  ///< SIGTERM before that
};

class Endings {
 public:
  /// `points`: the consumer has failpoints. Without, it lives at most `longest_life`, which is about what the raw loop
  /// needs to tell the broker anything.
  /// `reaches`: whether this consumer comes by a failpoint.
  Endings(std::uint64_t seed, bool points, std::chrono::microseconds longest_life,
          const std::function<bool(std::string_view)>& reaches);

  /// `group`: the consumer joins a group first, which takes longer.
  Ending next(bool new_store, bool group);

  enum class Death {
    at_point,  ///< at its failpoint
    by_hand,   ///< by SIGKILL from outside
    none,      ///< it left in peace before
  };
  void ended(const Ending& ending, Death death);

  std::size_t kills() const { return kills_; }
  std::size_t kills_at_random() const { return at_random_; }
  std::size_t kills_at(std::string_view point) const;
  /// Times that an injected error was armed, by failpoint.
  const std::map<std::string_view, std::size_t>& errors() const { return errors_; }
  std::vector<std::string_view> never_reached() const;
  const std::vector<Failpoint>& all_points() const { return all_; }

 private:
  Ending at_random(bool group);
  Ending at(const Failpoint& point, bool group);
  long below(long limit) { return std::uniform_int_distribution<long>(0, limit - 1)(random_); }

  std::mt19937_64 random_;
  const bool points_;
  std::vector<Failpoint> all_;
  const std::chrono::microseconds longest_life_;
  std::size_t next_point_ = 0, next_error_ = 0;
  std::size_t kills_ = 0, at_random_ = 0;
  std::map<std::string_view, std::size_t> kills_at_;
  std::map<std::string_view, std::size_t> errors_;
  /// The hit to die at is drawn below this; it follows what lives were seen to reach.
  std::map<std::string_view, long> reach_;
};

}  // namespace idem::kills
