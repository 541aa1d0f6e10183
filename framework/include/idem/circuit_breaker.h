// An outage is not poison. When nearly every message of a source fails, the fault is hardly in the messages: the breaker
// opens, nothing more of the source is handed to handlers and nothing is parked, until single messages get through again.
//
// Each source has its own. Failures are calls that end in retry or an exception, or that return past
// RuntimeOptions::handler_deadline. What a handler dead-letters or puts off for long (RetryPolicy::long_delay) is a verdict on
// the message: neither a failure nor a success, and so are duplicates and whatever is parked without a call.
#pragma once

#include <chrono>

namespace idem {

struct CircuitBreaker {
  /// Off: an outage that lasts longer than RetryPolicy's attempts parks one message after the other.
  bool enabled = true;

  // --- When it opens --------------------------------------------------------------------------------------------
  /// Share of the messages tried within `window` that failed, above 0 to 1, at which it opens. A message that fails again
  /// and again counts once. Lower: what fails for its own sake may stop the others.
  double failure_share = 0.8;
  /// It opens only if so many different messages failed. Lower: a few poisoned ones in a row, with nothing good between them,
  /// hold everything up until a probe succeeds. Higher: sources with fewer lanes (partitions, keys) than this never open
  /// it, since a lane tries one message at a time; only the ration below then bounds what an outage parks.
  int minimum_failures = 5;
  std::chrono::milliseconds window{10'000};

  // --- While it is open: received messages wait, up to the budget; the source is polled all the time ---------------
  /// Until the first probe. A probe is one message with nothing beside it, one that has not been tried before if there is.
  std::chrono::milliseconds first_pause{1'000};
  /// After each probe that fails the pause doubles, up to this. A probe that has not returned for so long has failed, too.
  /// Longer: less load on what is down, and a later return.
  std::chrono::milliseconds max_pause{30'000};
  /// So many that succeed one after the other close it.
  int probes = 3;

  // --- How many messages may be parked for attempts used up, at any time --------------------------------------------
  // Whatever has used up its attempts beyond that, or while the breaker is not closed, is tried further at
  // RetryPolicy::max_backoff; its lane waits. It is parked later, or succeeds.
  /// Before any has succeeded, and after a long time in which all did. With a few lanes poison and an outage look alike:
  /// so many messages an outage may park then.
  int parking_allowance = 5;
  /// So many that succeed earn one more, up to parking_allowance.
  int successes_per_parking = 10;
  /// Where none is left, one is granted after so long although nothing succeeds: so a poisoned message does end.
  std::chrono::milliseconds parking_interval{600'000};
};

}  // namespace idem
