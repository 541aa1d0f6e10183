// The delivery state machine of one source: which message may run, which must wait, and how far each partition is
// done. Events go in as calls, decisions come out as return values.
//
// No threads, no clock reads, no I/O, no broker and no SQL: the time is an argument. One thread calls everything here
// (the I/O thread of the source, or the simulator).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include <idem/runtime.h>

#include "core/breaker.h"
#include "core/delivery.h"
#include "core/id_map.h"
#include "core/lanes.h"
#include "core/parking_ration.h"
#include "core/partition.h"
#include "core/token_bucket.h"

namespace idem::core {

struct CoreOptions {
  Ordering ordering = Ordering::by_partition;
  Budget budget;
  RetryPolicy retry;
  CircuitBreaker circuit_breaker;
  RateLimit rate_limit;
  unsigned workers = 1;
  std::size_t longest_run = 1024;                            ///< messages in one batch at most
  std::chrono::microseconds run_target{5'000};               ///< batches grow until one takes about this long
  bool stable_positions = true;
  std::uint64_t seed = 1;                                    ///< of the retry jitter
};

class DeliveryCore {
 public:
  explicit DeliveryCore(CoreOptions options);

  // --- Assignments ----------------------------------------------------------------------------------------------
  /// A new epoch of the partition, reading from `start`. `check`: the record below it whose print is to be compared.
  Partition& assign(const PartitionRef& ref, std::uint32_t slot, Progress progress, std::int64_t start,
                    std::optional<std::int64_t> committed, std::optional<Progress::Range> check);
  /// No further message of the partition is handed to a worker.
  void hold(PartitionHandle handle);
  /// The assignment is over: whatever is not with a worker is dropped, what is there becomes stale.
  void release(PartitionHandle handle);
  /// nullptr: not the present assignment.
  Partition* find(PartitionHandle handle);
  std::deque<Partition>& partitions() { return partitions_; }
  std::size_t assigned() const { return assigned_; }

  // --- Messages -------------------------------------------------------------------------------------------------
  /// A delivery holding a copy of the message; nullptr if the handle is stale. Then fill in record.id, fingerprint,
  /// print, time and must_park, and enqueue() it.
  Delivery* receive(PartitionHandle handle, const Message& message);
  /// The same for a message that comes back from the store to its partition, under its number there. The caller has seen
  /// that it is not has_returning(number).
  Delivery* receive_returning(PartitionHandle handle, const Message& message, std::int64_t number);
  /// It has come back and is on its way.
  bool has_returning(std::int64_t number) const { return returning_.contains(number); }
  enum class Received { queued, duplicate, other_record };
  /// duplicate: at a finished position, nothing is to be done. other_record: the remembered record at this position
  /// was another one; the partition's log is not the one the store knows.
  Received enqueue(Delivery* delivery);
  /// Nothing at or above `next` now.
  void at_end(PartitionHandle handle, std::int64_t next);

  // --- Work ------------------------------------------------------------------------------------------------------
  /// The next batch for a worker; nullptr if nothing may run or enough is with the workers. As of the last tick().
  Batch* next_batch();
  void complete(const Completion& completion, Ticks now);
  /// The worker is through with the batch and needed this long.
  void batch_done(Batch* batch, std::chrono::nanoseconds took);
  /// Retries that are due become runnable, and what the breaker or the rate limit held back.
  void tick(Ticks now);
  /// When tick() has something to do next; nullopt: never.
  std::optional<Ticks> next_due() const;

  const Breaker& breaker() const { return breaker_; }
  std::vector<BreakerChange> take_breaker_changes() { return breaker_.take_changes(); }
  /// Messages in flight with their attempts used up that were not parked, while nothing more may be. 0 if it may.
  std::size_t withheld() const { return ration_.used_up() ? withheld_ : 0; }

  // --- Flow ------------------------------------------------------------------------------------------------------
  /// How many messages may be received before the budget is used up.
  std::size_t room() const;
  bool room_in_bytes() const { return bytes_ < options_.budget.bytes; }
  /// What the source should be told about the partition, with hysteresis.
  bool wants_pause(const Partition& partition) const;

  // --- Commits ---------------------------------------------------------------------------------------------------
  /// The next offset to read after the finished prefix of received offsets.
  std::int64_t committable(const Partition& partition) const;
  /// Positions carried past what holds no message: [from, to), when nothing is in flight below it.
  struct Skip { std::int64_t from, to; };
  std::optional<Skip> skippable(const Partition& partition) const;
  void skipped(PartitionHandle handle, Skip skip);

  bool idle() const { return messages_ == 0; }
  std::size_t dispatched() const { return dispatched_; }
  /// Messages of the partition that a worker or the store has.
  std::size_t dispatched(PartitionHandle handle) const;
  Counters counters() const;

 private:
  Delivery& take_in(Partition& partition, const Message& message);
  void enter_flight(Delivery& delivery);
  void leave_flight(Delivery& delivery);
  void finish(Delivery& delivery);
  void note_done(Partition& partition, const Delivery& delivery);
  void recycle(Delivery& delivery);
  void back_off(Delivery& delivery, std::chrono::milliseconds delay, Ticks now);
  std::chrono::milliseconds backoff(int attempts);
  std::size_t run_length() const;
  bool probe_is_ready();
  void send_probe(Delivery& delivery);
  void note_success(Delivery& delivery, Ticks now);
  void note_failure(Delivery& delivery, Ticks now);
  bool affordable(const Delivery& delivery) const { return delivery.has_token || !bucket_.empty(); }
  void settle_ration(Delivery& delivery, Completion::Kind kind);

  CoreOptions options_;
  std::mt19937_64 random_;
  std::deque<Partition> partitions_;  // stable addresses: workers read the epochs
  std::size_t assigned_ = 0;

  std::vector<std::unique_ptr<Delivery>> deliveries_;
  std::vector<Delivery*> free_deliveries_;
  std::vector<std::unique_ptr<Batch>> batches_;
  std::vector<Batch*> free_batches_;

  Lanes lanes_;
  IdMap<Delivery*> in_flight_;
  std::size_t batches_out_ = 0;

  struct Due {
    Ticks at;
    Delivery* delivery;
    bool operator>(const Due& other) const { return at > other.at; }
  };
  std::vector<Due> due_;  // a heap, earliest first
  std::unordered_set<std::int64_t> returning_;  // numbers, of what came back from the store

  Breaker breaker_;
  Delivery* probe_ = nullptr;  // the one that is out, or is to go out again
  ParkingRation ration_;
  std::size_t withheld_ = 0;
  TokenBucket bucket_;
  Ticks now_{};                // of the last tick

  std::size_t messages_ = 0, bytes_ = 0, dispatched_ = 0, queued_ = 0;
  double cost_ns_ = 0;          // of one message, as measured
  std::size_t run_limit_ = 1;   // grows by doubling
  Counters counters_;
};

}  // namespace idem::core
