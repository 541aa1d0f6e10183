// The messages that the kill harness sends: what each asks for and how it has to end is known beforehand.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kills/act.h"
#include "kills/checker.h"
#include "support/kafka_client.h"

namespace idem::kills {

class Stream {
 public:
  /// Messages are stamped far in the past and some seconds apart, so that a short run sees many generations of ids
  /// come and go. Repeats come well within this time, and stay repeats as long as ids are remembered for it.
  static constexpr std::chrono::hours retention{3};

  /// `all_kinds`: with messages that fail, repeat an id with other content, or carry none. A consumer that has no
  /// parking lot gets plain ones and honest repeats only.
  Stream(std::string name, std::int32_t partitions, std::uint64_t seed, bool all_kinds);

  /// Makes the next messages: a tenth are repeats of earlier ones.
  std::vector<test::Record> next(std::size_t count);
  /// The broker has accepted what next() made last; positions in the same order.
  void accepted(const std::vector<test::Position>& positions);

  const std::vector<Sent>& sent() const { return sent_; }
  /// The largest number of bytes in a partition, as the in-process broker counts them.
  std::size_t largest_partition() const;

 private:
  struct Draft {
    Sent sent;  // without position
    std::string payload;
  };

  Draft fresh();
  Draft repeat();
  Draft contradict();
  test::Record record(const Draft& draft);
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

  const std::string name_;
  const std::int32_t partitions_;
  const bool all_kinds_;
  std::mt19937_64 random_;
  std::size_t made_ = 0;
  std::int64_t time_ms_;
  std::vector<Draft> plain_;     // what may be repeated, or contradicted once
  std::vector<Draft> awaiting_;  // made and not yet accepted
  std::vector<Sent> sent_;
  std::vector<std::size_t> bytes_;
};

}  // namespace idem::kills
