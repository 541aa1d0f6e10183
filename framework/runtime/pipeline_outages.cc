// What a pipeline says of its circuit breaker.
#include "runtime/log.h"
#include "runtime/pipeline.h"

namespace idem::runtime {

using core::Breaker;
using core::BreakerChange;

namespace {

std::string in_ms(std::chrono::milliseconds time) { return std::to_string(time.count()) + " ms"; }

std::string why_open(const Breaker::Window& seen, const CircuitBreaker& options) {
  return std::to_string(seen.failed) + " of " + std::to_string(seen.tried) + " messages tried within " +
         in_ms(options.window) + " failed";
}

std::string what_closes(const CircuitBreaker& options) {
  return options.probes == 1 ? "a probe that succeeds closes it"
                             : std::to_string(options.probes) + " probes in a row that succeed close it";
}

}  // namespace

void Pipeline::report_breaker() {
  const std::vector<BreakerChange> changes = core_.take_breaker_changes();
  if (changes.empty()) return;
  const CircuitBreaker& options = parts_.options.circuit_breaker;
  const std::string with = last_failure_.empty() ? "" : " with \"" + printable(last_failure_) + "\"";
  for (const BreakerChange& change : changes) {
    const std::string who = parts_.source.traits().name + ": circuit breaker ";
    switch (change.kind) {
      case BreakerChange::Kind::opened:
        log().warn("{}open: {}{}; messages wait and none is parked for it; {}, the first goes out in {}", who,
                   why_open(core_.breaker().opened_by(), options), with.empty() ? "" : ", the last" + with,
                   what_closes(options), in_ms(change.pause));
        break;
      case BreakerChange::Kind::probe_failed:
        log().warn("{}still open: a probe failed{}; the next goes out in {}", who, with, in_ms(change.pause));
        break;
      case BreakerChange::Kind::probe_overdue:
        log().warn("{}still open: a probe has not returned within {}; the next goes out in {}", who,
                   in_ms(options.max_pause), in_ms(change.pause));
        break;
      case BreakerChange::Kind::closed:
        log().info("{}closed: {} probes in a row have succeeded", who, options.probes);
        break;
    }
  }
}

std::vector<std::string> Pipeline::troubles() const {
  const CircuitBreaker& options = parts_.options.circuit_breaker;
  std::vector<std::string> all;
  if (core_.breaker().state() != Breaker::State::closed)
    all.push_back("circuit breaker open: " + why_open(core_.breaker().opened_by(), options) + "; " + what_closes(options));
  if (core_.withheld() > 0)
    all.push_back("messages with their attempts used up that are not parked: " + std::to_string(core_.withheld()) +
                  "; too few others succeed (CircuitBreaker::successes_per_parking)");
  return all;
}

}  // namespace idem::runtime
