// The source seam: where messages come from and where "done" is said.
//
// A new source implements Source with these headers alone and proves itself with the shipped conformance suite
// (tests/conformance/source_suite.h). Each numbered rule below is one test of that suite.
//
// Threads: every method but wake() is called on the source's one I/O thread, and a source calls SourceEvents only
// inside start(), poll(), commit() and stop(), on that thread. Nothing here needs a lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <idem/message.h>
#include <idem/store.h>

namespace idem {

/// "topic[partition]", as every text names a partition.
inline std::string to_string(const PartitionRef& ref) { return ref.topic + "[" + std::to_string(ref.partition) + "]"; }

/// One partition during one assignment. Epochs grow: a handle of an earlier assignment is recognised and ignored.
struct PartitionHandle {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t epoch = 0;
  friend bool operator==(const PartitionHandle&, const PartitionHandle&) = default;
};

/// A partition that the broker gave to this process, and what the broker knows of it.
struct AssignedPartition {
  PartitionRef partition;
  std::optional<std::int64_t> committed;  ///< the group's committed offset; nullopt: none
  std::string metadata;                   ///< of that commit
  std::int64_t log_begin = 0;             ///< first offset still in the log
  std::int64_t log_end = INT64_MAX;       ///< next offset to be written; INT64_MAX: not known
  std::int64_t initial = 0;               ///< where a reader without history begins (auto.offset.reset, resolved)
  std::string origin;                     ///< names cluster and topic incarnation as far as known; "" unknown
};

/// The runtime's answer for one assigned partition.
struct StartAt {
  PartitionHandle handle;
  bool read = true;          ///< false: leave this partition unread (the reason has been reported)
  std::int64_t offset = 0;   ///< first offset to deliver
  bool paused = false;       ///< begin paused, as if set_paused() had been called: the budget is used up already
};

struct Commit {
  PartitionHandle handle;
  PartitionRef partition;
  std::int64_t next = 0;     ///< the next offset to read: everything below is done
  std::string metadata;      ///< ASCII, to be stored beside the offset
};

struct CommitResult {
  PartitionHandle handle;
  std::int64_t next = 0;
  bool ok = false;
  bool retriable = true;     ///< not ok and not retriable: the run ends with `error`
  std::string error;
};

/// What a source tells the runtime. Implemented by the runtime.
class SourceEvents {
 public:
  /// Answers, in the same order, where each partition starts. Partitions not in the list are unchanged.
  virtual std::vector<StartAt> on_assigned(std::span<const AssignedPartition> partitions) = 0;
  /// Before giving partitions up: finishes what runs (up to a deadline) and commits, through commit(…, wait = true).
  virtual void on_revoked(std::span<const PartitionHandle> partitions) = 0;
  /// Somebody else has them already: nothing may be committed.
  virtual void on_lost(std::span<const PartitionHandle> partitions) = 0;
  /// `message` is borrowed for the call. Its topic, partition and offset are set. False: enough for this poll(); the
  /// source returns from it and keeps what else it has.
  virtual bool on_message(PartitionHandle partition, const Message& message) = 0;
  /// There is nothing at or above `next` at the moment.
  virtual void on_end(PartitionHandle partition, std::int64_t next) = 0;
  virtual void on_committed(std::span<const CommitResult> results) = 0;
  /// What the group has committed, this process's partitions or not: looked at when starting and every few seconds.
  virtual void on_group_commit(const PartitionRef& partition, std::int64_t next, std::string_view metadata) = 0;
  /// The source cannot go on; `what` says what happened and what to do. The run ends with it.
  virtual void on_fatal(std::string_view what) = 0;
  /// Something worth a log line that the source will recover from by itself. Sources do not repeat it in a loop.
  virtual void on_warning(std::string_view what) = 0;
 protected:
  ~SourceEvents() = default;
};

struct SourceTraits {
  std::string name;               ///< for people: "kafka payments"
  /// true: (partition, offset) names one record across restarts, and "done" is said with commit() of a position.
  /// false: an offset names one delivery of one assignment (an AMQP delivery tag), and "done" is said with
  /// acknowledge() of each.
  bool stable_positions = false;
};

/// What a source is told when it starts.
struct SourceContext {
  std::string consumer;
  std::size_t budget_messages = 0;             ///< what the runtime takes at most
  std::size_t budget_bytes = 0;                ///< what the client library may hold of what it has fetched ahead
  std::chrono::milliseconds drain_timeout{0};  ///< how long on_revoked may take
  bool shared_store = false;                   ///< several processes may share what the store remembers. If not, a
                                               ///< source without stable positions reads only what nobody else reads.
};

class Source {
 public:
  virtual ~Source() = default;
  virtual SourceTraits traits() const = 0;

  /// Begins reading. Throws std::invalid_argument for an option that is wrong or breaks the promise (by name, with
  /// what to use instead) and std::runtime_error when the broker refuses; nothing is left running then.
  virtual void start(SourceEvents& events, const SourceContext& context) = 0;

  /// Delivers what is there, at most `limit` messages. Waits up to `wait` if there is nothing; returns at once after
  /// a wake(), also one that came just before.
  /// O1: messages of a partition come in log order, each once per assignment, from StartAt::offset on.
  /// O2: nothing is delivered of a partition before on_assigned or after on_revoked / on_lost.
  /// O3: a paused partition delivers nothing, and polling goes on serving everything else.
  virtual void poll(std::chrono::milliseconds wait, std::size_t limit) = 0;

  /// Makes a poll() return. Any thread, at any time between start() and stop(); cheap; never blocks.
  virtual void wake() = 0;

  /// O4: pausing and resuming neither loses nor repeats nor reorders.
  virtual void set_paused(PartitionHandle partition, bool paused) = 0;

  /// Goes on with a held partition elsewhere: from `start.offset` on, under `start.handle`. Called between polls.
  /// O8: nothing of what was fetched before is delivered any more.
  virtual void seek(PartitionHandle before, const StartAt& start) = 0;

  /// With stable positions: says "done up to next". Answered by on_committed: before returning if `wait`, else from a later poll().
  /// O5: what was committed is where AssignedPartition::committed of the next assignment starts, metadata included.
  /// O6: a commit for a handle of an earlier assignment does nothing and is answered as not ok, retriable.
  virtual void commit(std::span<const Commit> commits, bool wait) = 0;

  /// Without stable positions: says "done" of these offsets, in any order, each at most once and only when it is
  /// durable. May be sent later, but before a poll() waits and before stop() returns. There is no answer: what the
  /// broker did not get comes again.
  /// O9: what was acknowledged does not come again after an orderly stop, and everything else does.
  /// O10: an acknowledgement for a handle of an earlier assignment does nothing.
  virtual void acknowledge(PartitionHandle /*partition*/, std::span<const std::int64_t> /*offsets*/) {}

  /// Called about once a second while the runtime waits for handlers outside poll(): keeps the connection alive.
  /// Delivers and reports nothing.
  virtual void keep_alive() {}

  /// How many messages lie in the log from `next` on, as far as the client knows without asking.
  virtual std::optional<std::int64_t> lag(PartitionHandle, std::int64_t /*next*/) const { return std::nullopt; }

  /// Leaves: on_revoked for everything held, then gives it up. Nothing is delivered any more.
  /// O7: after stop() another process gets the partitions without waiting for a timeout.
  virtual void stop() = 0;
};

}  // namespace idem
