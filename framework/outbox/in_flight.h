// The rows of one destination that a relay has in memory, and what is known of each.
//
// Rows go out in order. When one is not stored, nothing more goes out until all that were sent have an answer; then
// everything without a good one goes out again, in order. So a failure leaves no gap behind which later rows pile up.
//
// Pure: no thread, no clock, no store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include <idem/outbox.h>

namespace idem::outbox {

class InFlight {
 public:
  /// Numbers grow.
  void add(OutboxTable::Row row);
  /// The next one to go out, which has gone out then; nullptr: none, or something has failed.
  const OutboxTable::Row* next();

  /// It needs no more care: stored, or parked. False: there is no such row.
  bool ended(std::int64_t number);
  /// It was not stored, as far as is known.
  void failed(std::int64_t number);

  bool has_failed() const { return failed_ > 0; }
  /// Everything that went out has an answer.
  bool quiet() const { return sent_ == 0; }
  /// Those that failed go out again, before those that have not yet gone out. Only when quiet. Returns how many.
  std::size_t again();

  std::size_t size() const { return rows_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  enum class State { waiting, sent, failed };
  struct Held {
    OutboxTable::Row row;
    State state = State::waiting;
  };
  std::map<std::int64_t, Held> rows_;
  std::map<std::int64_t, Held>::iterator next_ = rows_.end();  ///< the first one that waits
  std::size_t bytes_ = 0, sent_ = 0, failed_ = 0;
};

}  // namespace idem::outbox
