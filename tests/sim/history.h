// One history while it runs: its decisions, its time, what was seen in it, and the first promise it broke.
#pragma once

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "runtime/clock.h"
#include "sim/choices.h"
#include "sim/scenario.h"

namespace idem::sim {

/// Events worth having seen. A long run in which one of them never happened has not tested what it claims.
#define IDEM_SIM_EVENTS(X)                                                   \
  X(zombie_commit, "zombie commit tried")                                    \
  X(unknown_applied, "commit unknown but applied")                           \
  X(unknown_not_applied, "commit unknown and not applied")                   \
  X(group_lost, "group lost inside a call")                                  \
  X(taken_back, "others taken back with a failed message")                   \
  X(unique_rule_at_finish, "id got in since look-up, found at finish")       \
  X(unique_rule_at_commit, "id got in since look-up, found at commit")       \
  X(revoke_while_running, "revoke while a handler runs")                     \
  X(lost_while_running, "lost while a handler runs")                         \
  X(drain_deadline, "drain deadline passed")                                 \
  X(two_nodes_one_id, "one id on two nodes at once")                         \
  X(stale_completion, "stale completion dropped")                            \
  X(stale_message, "message of a partition that is somebody else's by then") \
  X(copy_waits, "copy received while the first is in flight")                \
  X(completion_gap, "three finished above an unfinished one")                \
  X(acks_above_gap, "acknowledged above an unfinished delivery")             \
  X(acks_lost, "acknowledgements lost with their channel")                   \
  X(handed_back, "a delivery handed back while its message is under way")    \
  X(redelivered, "delivered again after an effect that was not acknowledged") \
  X(parked_after_crash, "parked after a crash")                              \
  X(conflict_parked, "id conflict parked")                                   \
  X(retry_holds_lane, "retry while later messages wait")                     \
  X(budget_full, "budget full")                                              \
  X(commit_refused, "offset commit refused by the broker")                   \
  X(answer_lost, "offset commit applied, answer lost")                       \
  X(late_commit, "offset commit handled late")                               \
  X(skip_settled, "position carried past offsets without messages")          \
  X(restored, "store restored from a backup")                                \
  X(clean_leave, "clean leave in the middle")                                \
  X(store_gone, "store gone")                                                \
  X(outage, "what the handlers need is down")                                \
  X(breaker_opened, "circuit breaker opened")                                \
  X(probe_sent, "a probe sent")                                              \
  X(breaker_closed, "circuit breaker closed by its probes")                  \
  X(parking_withheld, "attempts used up and not parked")                     \
  X(claim_found, "a claim found that another process left")                  \
  X(claim_conflict, "another content under a claimed id")                    \
  X(call_repeated, "a call repeated, and said so")                           \
  X(call_resolved, "an earlier call found to have taken effect")             \
  X(crash_claimed, "crash with a claim that is not concluded")               \
  X(delayed, "a long delay durable")                                         \
  X(delayed_again, "a long delay after one")                                 \
  X(redriven, "redriven from the parking lot")                               \
  X(returned, "a message come back")                                         \
  X(crash_returning, "crash with messages that are to come back")            \
  X(crash_idle, "crash with nothing in flight")                              \
  X(crash_received, "crash with messages received")                          \
  X(crash_looked_up, "crash with ids looked up")                             \
  X(crash_in_scope, "crash between handler and record")                      \
  X(crash_joined, "crash with an open group")                                \
  X(crash_before_apply, "crash in COMMIT, nothing durable")                  \
  X(crash_after_apply, "crash in COMMIT, all durable")                       \
  X(crash_settled, "crash with settlements uncollected")                     \
  X(crash_commit_sent, "crash with an offset commit on its way")             \
  X(crash_before_commit, "crash before an offset commit")                    \
  X(crash_after_commit, "crash after an offset commit")                      \
  X(crash_in_drain, "crash while draining")

enum class Saw : std::uint8_t {
#define X(name, text) name,
  IDEM_SIM_EVENTS(X)
#undef X
      count
};

struct Sightings {
  std::array<std::uint64_t, static_cast<std::size_t>(Saw::count)> of{};

  static const char* name(std::size_t i) {
    static constexpr const char* names[] = {
#define X(name, text) text,
        IDEM_SIM_EVENTS(X)
#undef X
    };
    return names[i];
  }
  void add(const Sightings& other) {
    for (std::size_t i = 0; i < of.size(); ++i) of[i] += other.of[i];
  }
};

/// Time that moves when it is told to.
class ManualClock final : public runtime::Clock {
 public:
  core::Ticks now() override { return now_; }
  Timestamp wall() override { return wall_; }
  void advance(std::chrono::milliseconds by) {
    now_ += by;
    wall_ += by;
  }
  void jump(std::chrono::milliseconds by) { wall_ += by; }

 private:
  core::Ticks now_{std::chrono::hours(1)};
  Timestamp wall_{std::chrono::hours(24 * 365 * 50)};
};

/// Thrown where a node dies inside a call; nothing catches it but the world.
struct Crash {};

class History {
 public:
  History(Choices choices, Sightings& sightings, bool tracing)
      : choices(std::move(choices)), sightings_(sightings), tracing_(tracing) {}

  Choices choices;
  Scenario scenario;
  ManualClock clock;
  bool healing = false;  ///< nothing goes wrong any more
  bool outage = false;   ///< what the handlers need is down

  /// Whether `fault` strikes here.
  bool fault(Fault fault, std::uint32_t rate = 8) {
    return !healing && scenario.has(fault) && choices.fault(rate);
  }
  void crash_here(Saw where) {
    if (!fault(Fault::crash_inside, 16)) return;
    saw(where);
    trace("crash inside a call");
    throw Crash{};
  }

  void saw(Saw what) { ++sightings_.of[static_cast<std::size_t>(what)]; }

  /// A promise is broken. The first one counts.
  void violate(const char* invariant, const char* what) {
    if (!violated_) {
      violated_ = invariant;
      detail_ = what;
    }
    trace("VIOLATION %s: %s", invariant, what);
  }
  const char* violated() const { return violated_; }
  const std::string& detail() const { return detail_; }

  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3u; }
  std::uint64_t hash() const { return hash_; }

  __attribute__((format(printf, 2, 3))) void trace(const char* format, ...) {
    if (!tracing_) return;
    std::va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::putchar('\n');
  }

 private:
  Sightings& sightings_;
  bool tracing_;
  const char* violated_ = nullptr;
  std::string detail_;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace idem::sim
