// What the benchmarks share: alternating rounds with a baseline, their median and spread, and how a result is printed.
//
// Absolute rates are the machine's own and never asserted; each benchmark states a ratio to a baseline that was
// measured in the same run, in turn with it, so that a slow minute hits both.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/kafka_broker.h"
#include "support/rabbit_broker.h"
#include "support/scratch.h"

namespace idem::bench {

struct Scale {
  bool quick = false;  ///< only to see that it runs: figures mean nothing
  int rounds = 3;
  std::size_t messages(std::size_t full) const { return quick ? full / 200 : full; }
};

/// The real Kafka of this run, started at its first use; throws where there is none.
test::KafkaBroker& kafka();

/// The real RabbitMQ of this run, likewise.
test::RabbitBroker& rabbit();

/// Median, smallest and largest of some rounds.
struct Spread {
  explicit Spread(std::vector<double> values);
  double median = 0, low = 0, high = 0;
  std::string to_string(int decimals) const;
};

/// The values at these shares of the sorted samples (0.5: the median).
double quantile(std::vector<double> samples, double share);

/// CPU time of this process, all threads, user and system.
std::chrono::duration<double, std::micro> cpu_time();

/// What a run cost. CPU time beside the rate: on a busy machine a program with more threads gets a larger share of it,
/// and CPU time is not fooled by that.
struct Cost {
  double per_second = 0;
  double cpu_us = 0;  ///< a message, all threads of this process
};

/// Runs from its construction.
class Meter {
 public:
  Cost stop(std::size_t messages) const;

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const std::chrono::duration<double, std::micro> cpu_ = cpu_time();
};

double seconds_since(std::chrono::steady_clock::time_point start);

/// The rounds of one comparison, each printed as it comes.
struct Rounds {
  std::vector<double> idem, baseline, ratio;

  /// `what`: set where a benchmark makes more than one comparison.
  void add(const Cost& with_idem, const Cost& without, const std::string& what = "");
};

/// Rounds of two measurements, each of which is the first in turn.
template <class WithIdem, class Without>
Rounds alternate(int rounds, const std::string& what, WithIdem with_idem, Without without) {
  Rounds figures;
  for (int round = 0; round < rounds; ++round) {
    Cost idem, baseline;
    if (round % 2 == 0) baseline = without();
    idem = with_idem();
    if (round % 2 == 1) baseline = without();
    figures.add(idem, baseline, what);
  }
  return figures;
}

/// A file on the disk that is measured: what syncing costs there at best.
class SyncedFile {
 public:
  explicit SyncedFile(std::filesystem::path file);
  ~SyncedFile();
  SyncedFile(const SyncedFile&) = delete;
  SyncedFile& operator=(const SyncedFile&) = delete;

  /// Appends 4 KiB and syncs; returns the ms it took.
  double append();

 private:
  const std::filesystem::path file_;
  int descriptor_;
};

std::string rate(double per_second);

/// The last line of a benchmark.
void conclude(const std::string& name, const std::string& reached, const std::string& target);

// Each in a file of its own.
void kafka_sqlite(const Scale& scale);
void one_per_transaction(const Scale& scale);
void overhead(const Scale& scale);
void latency(const Scale& scale);
void memory(const Scale& scale);
void rabbitmq(const Scale& scale);
void confirms(const Scale& scale);
void relay(const Scale& scale);
void outbox(const Scale& scale);

/// What `memory` runs in a process of its own, to measure nothing else.
int memory_consumer(int count, char** words);

}  // namespace idem::bench
