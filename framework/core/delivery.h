// One message on its way from the source to "done", and the bytes it owns.
//
// Life: the I/O thread fills a Delivery and the core queues it. While it is dispatched it belongs to one worker and
// then to the store's group; exactly one Completion brings it back to the core. Deliveries are pooled, so a busy
// consumer allocates nothing per message.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <idem/source.h>
#include <idem/store.h>

namespace idem::core {

using Ticks = std::chrono::steady_clock::time_point;
class ParkingRation;
struct Lane;

/// What a worker made of a delivery.
enum class Verdict : std::uint8_t { none, done, duplicate, parked, delayed, claimed };

struct Delivery {
  // --- Set before dispatch, read by the worker -------------------------------------------------------------------
  Message message;
  Record record;
  PartitionHandle handle;
  const std::atomic<std::uint32_t>* live_epoch = nullptr;  ///< of the partition: differs from handle.epoch when stale
  std::optional<ParkReason> must_park;                     ///< no handler is called any more (no id, attempts used up)
  int attempts = 0;                                        ///< handler calls that have ended
  ParkingRation* ration = nullptr;                         ///< asked before it is parked for attempts used up

  // --- Written by the worker, read after the completion ----------------------------------------------------------
  Verdict verdict = Verdict::none;
  ParkReason park_reason = ParkReason::dead_letter;        ///< verdict parked
  std::string why;                                         ///< of a retry or of parking
  std::optional<std::chrono::milliseconds> delay;          ///< retry_after
  bool rationed = false;                                   ///< has taken its part of the ration
  bool overdue = false;                                    ///< a call of it has returned past its deadline
  Timestamp due{};                                         ///< verdict delayed

  // --- Of an ExternalHandler, kept over the runs of one delivery -----------------------------------------------------
  bool claimed = false;       ///< its claim is durable, or on its way into the store
  bool maybe_called = false;  ///< by this process or one before it
  bool executed = false;      ///< the handler has said so; only the record is missing
  std::optional<std::string> result;  ///< what it said then, to be kept with the record
  std::shared_ptr<void> in_hand;  ///< keeps the runtime's other pipelines from its id

  // --- The core's own --------------------------------------------------------------------------------------------
  enum class State : std::uint8_t { free, queued, dispatched, backing_off };
  State state = State::free;
  bool waits_for_copy = false;        ///< an earlier copy of the same id is in flight
  std::uint64_t bytes = 0;            ///< charged to the budget
  std::optional<IdKey> in_flight_key; ///< by what copies find each other
  Lane* lane = nullptr;
  Delivery *previous = nullptr, *next = nullptr;  ///< in the lane, in log order
  Delivery* next_copy = nullptr;                  ///< the copy that waits for this one
  std::optional<Ticks> failure_counted;           ///< when a failure of it last counted for the breaker
  bool probe = false;                             ///< sent to find out whether the breaker can close
  bool has_token = false;                         ///< the rate limit has counted its present attempt
  bool withheld = false;                          ///< its attempts are used up, and it was not parked

  bool stale() const { return live_epoch->load(std::memory_order_acquire) != handle.epoch; }

  /// Copies `from` and everything it views.
  void assign(const Message& from, std::string_view topic);

  /// Owns what the views of `message` point to. `id_scratch` holds an id that a function made.
  std::string id_scratch;

 private:
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::vector<Header> headers_;
};

/// What one worker takes at a time: deliveries of one or more lanes, each lane's in log order, no lane in two batches.
struct Batch {
  std::vector<Delivery*> items;
};

/// Exactly one per dispatched delivery.
struct Completion {
  enum class Kind : std::uint8_t {
    durable,      ///< its record is committed and synced; Delivery::verdict says as what
    not_applied,  ///< it had joined a group that certainly failed to commit
    retry,        ///< the handler asked for it; nothing of it remains
    returned,     ///< not run (its assignment ended, an earlier one of its lane did not finish, a group was lost)
    store_busy,   ///< the store could not take it now (disk full, locked), or another pipeline has its id in hand;
                  ///< nothing of it remains
  };
  Delivery* delivery = nullptr;
  Kind kind = Kind::durable;
};

}  // namespace idem::core
