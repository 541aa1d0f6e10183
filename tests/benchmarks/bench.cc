#include "benchmarks/bench.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace idem::bench {

test::KafkaBroker& kafka() {
  if (const auto missing = test::kafka_missing()) throw std::runtime_error(*missing);
  static test::KafkaBroker broker({.heap_mb = 1'024, .full_speed = true});
  return broker;
}

test::RabbitBroker& rabbit() {
  if (const auto missing = test::RabbitBroker::unavailable()) throw std::runtime_error(*missing);
  return test::RabbitBroker::shared();
}

Spread::Spread(std::vector<double> values) {
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  median = values[values.size() / 2];
  low = values.front();
  high = values.back();
}

std::string Spread::to_string(int decimals) const {
  char text[96];
  std::snprintf(text, sizeof text, "%.*f (%.*f to %.*f)", decimals, median, decimals, low, decimals, high);
  return text;
}

double quantile(std::vector<double> samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(samples.size()));
  return samples[std::min(at, samples.size() - 1)];
}

std::chrono::duration<double, std::micro> cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto microseconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return std::chrono::duration<double, std::micro>(microseconds(usage.ru_utime) + microseconds(usage.ru_stime));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Cost Meter::stop(std::size_t messages) const {
  const auto count = static_cast<double>(messages);
  return {count / seconds_since(start_), (cpu_time() - cpu_).count() / count};
}

void Rounds::add(const Cost& with_idem, const Cost& without, const std::string& what) {
  idem.push_back(with_idem.per_second);
  baseline.push_back(without.per_second);
  ratio.push_back(with_idem.per_second / without.per_second);
  std::printf("  round %zu%s%s: idem %s (%.1f µs of CPU each), baseline %s (%.1f µs), ratio %.2f\n", ratio.size(),
              what.empty() ? "" : ", ", what.c_str(), rate(with_idem.per_second).c_str(), with_idem.cpu_us,
              rate(without.per_second).c_str(), without.cpu_us, ratio.back());
  std::fflush(stdout);
}

SyncedFile::SyncedFile(std::filesystem::path file)
    : file_(std::move(file)), descriptor_(::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) throw std::runtime_error("cannot write " + file_.string());
}

SyncedFile::~SyncedFile() {
  ::close(descriptor_);
  std::filesystem::remove(file_);
}

double SyncedFile::append() {
  using Clock = std::chrono::steady_clock;
  static const std::string page(4'096, 'x');
  const auto started = Clock::now();
  if (::write(descriptor_, page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
      ::fdatasync(descriptor_) != 0)
    throw std::runtime_error("cannot sync " + file_.string());
  return std::chrono::duration<double, std::milli>(Clock::now() - started).count();
}

std::string rate(double per_second) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1fk msg/s", per_second / 1'000);
  return text;
}

void conclude(const std::string& name, const std::string& reached, const std::string& target) {
  std::printf("%s: reached %s target %s\n", name.c_str(), reached.c_str(), target.c_str());
  std::fflush(stdout);
}

}  // namespace idem::bench
