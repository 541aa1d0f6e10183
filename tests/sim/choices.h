// Where every decision of a history comes from: a seed, or a list of decisions to follow. One history is a
// function of it and of nothing else, so a seed replays a run exactly and a list explores them one by one.
#pragma once

#include <cstdint>
#include <vector>

namespace idem::sim {

class Choices {
 public:
  /// Random ones.
  explicit Choices(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}

  /// Systematic ones: follows `prefix`, then always takes the first. What could have been chosen is kept in
  /// taken().
  struct Systematic {
    std::vector<std::uint32_t> prefix;
    int faults = 0;      ///< that may happen in one history
    int deviations = 0;  ///< scheduling decisions that may differ from the usual order
  };
  explicit Choices(Systematic systematic) : systematic_(true), plan_(std::move(systematic)) {}

  bool systematic() const { return systematic_; }

  /// A number below `n`.
  std::uint32_t pick(std::uint32_t n) {
    if (n <= 1) return 0;
    if (systematic_) return follow(n);
    return static_cast<std::uint32_t>((next() >> 32) * n >> 32);
  }

  /// The same, for details that a systematic search leaves alone: there always 0.
  std::uint32_t detail(std::uint32_t n) { return systematic_ ? 0 : pick(n); }

  /// Whether a fault happens that is expected once in `rate` times.
  bool fault(std::uint32_t rate) {
    if (!systematic_) return pick(rate) == 0;
    if (plan_.faults == 0 || follow(2) == 0) return false;
    --plan_.faults;
    return true;
  }

  int faults_left() const { return plan_.faults; }
  void use_fault() { --plan_.faults; }
  int deviations_left() const { return plan_.deviations; }
  void use_deviation() { --plan_.deviations; }

  struct Taken {
    std::uint32_t choice, of;
  };
  const std::vector<Taken>& taken() const { return taken_; }

 private:
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  std::uint32_t follow(std::uint32_t n) {
    const std::size_t depth = taken_.size();
    const std::uint32_t choice = depth < plan_.prefix.size() ? plan_.prefix[depth] : 0;
    taken_.push_back({choice, n});
    return choice;
  }

  std::uint64_t state_ = 0;
  bool systematic_ = false;
  Systematic plan_;
  std::vector<Taken> taken_;
};

}  // namespace idem::sim
