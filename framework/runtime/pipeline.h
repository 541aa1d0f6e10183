// One source, one ledger, one set of workers: moves messages from the source through the core to the workers, and
// finished offsets back to the broker. The path of a message from poll to commit is turn(), top to bottom.
//
// No threads of its own: the I/O thread (or a simulator) calls everything here.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <idem/runtime.h>

#include "core/delivery_core.h"
#include "runtime/clock.h"
#include "runtime/executor.h"
#include "runtime/handler_watch.h"

namespace idem::runtime {

class Pipeline final : public SourceEvents {
 public:
  struct Parts {
    Source& source;
    Ledger& ledger;
    StoreTraits store;
    Executor& executor;
    Clock& clock;
    const RuntimeOptions& options;
    unsigned workers = 1;
    std::uint64_t seed = 1;
    /// Told how far the messages have come, about once a second; nullopt: not known.
    std::function<void(std::optional<Timestamp>)> on_stream_time;
    bool external = false;  ///< for an ExternalHandler: every message needs an id to be claimed by
    HandlerWatch* watch = nullptr;  ///< what the workers tell of their calls; null: nothing
  };

  explicit Pipeline(Parts parts);

  /// Starts the source; throws what Source::start throws.
  void start();
  /// One turn. Waits at most `longest` if there is nothing to do.
  void turn(std::chrono::milliseconds longest);
  /// Everything that was in the log is done and committed.
  bool caught_up();
  /// Finishes what runs, commits, leaves. Answers why the run ended.
  Exit leave(ExitReason reason);

  /// Set when the run has to end.
  const std::optional<Exit>& ended() const { return ended_; }
  Counters counters() const;
  const core::DeliveryCore& core() const { return core_; }
  /// Since when the oldest unread partition holds stream time back, for the report.
  std::string held_back_by() const { return held_back_by_; }
  /// A line each for what keeps messages waiting that a person should look at; empty: nothing.
  std::vector<std::string> troubles() const;

  // --- SourceEvents ----------------------------------------------------------------------------------------------
  std::vector<StartAt> on_assigned(std::span<const AssignedPartition> partitions) override;
  void on_revoked(std::span<const PartitionHandle> partitions) override;
  void on_lost(std::span<const PartitionHandle> partitions) override;
  bool on_message(PartitionHandle partition, const Message& message) override;
  void on_end(PartitionHandle partition, std::int64_t next) override;
  void on_committed(std::span<const CommitResult> results) override;
  void on_group_commit(const PartitionRef& partition, std::int64_t next, std::string_view metadata) override;
  void on_fatal(std::string_view what) override;
  void on_warning(std::string_view what) override;

 private:
  void collect();
  void report(const core::Completion& completion);
  void report_retry(const core::Delivery& delivery);
  void report_breaker();
  void dispatch();
  void watch_handlers();
  void reconcile_pauses();
  void skip_empty_tails();
  void commit_due();
  void commit(bool wait, const std::vector<PartitionHandle>& only = {});
  void acknowledge();
  void commit_now(const std::vector<PartitionHandle>& only, core::Ticks deadline);
  bool ended_failed() const;
  void advance_stream_time();
  std::chrono::milliseconds time_to_wait(std::chrono::milliseconds longest);

  StartAt start_partition(const AssignedPartition& assigned);
  StartAt begin_partition(const AssignedPartition& assigned);
  bool reset(const AssignedPartition& assigned, std::uint32_t slot, const Progress& progress);
  void hold_stream_time();
  void start_over();
  void take_returning();
  void take_returning(core::Partition& partition, Timestamp now);
  std::size_t room_to_return(const core::Partition& partition) const;
  std::optional<std::chrono::milliseconds> time_to_next_return();
  void take_back(core::Partition& partition, const ReturningMessage& kept);
  /// By the id it is `known_as`, or by the one that is found in it.
  void identify(core::Delivery& delivery, std::string_view known_as = {});
  void other_record(core::Partition& partition, std::int64_t offset);
  bool drain(const std::vector<PartitionHandle>& only, core::Ticks deadline);
  bool drain_all();
  /// Takes in what comes back until nothing is under way; false at the deadline, or when the workers cannot go on.
  bool collect_while(const std::function<bool()>& under_way, core::Ticks deadline);
  void end(ExitReason reason, std::string detail);

  Parts parts_;
  core::DeliveryCore core_;
  std::string metadata_;
  bool positions_;
  std::vector<WorkerEvent> events_;
  std::vector<Commit> commits_;
  std::vector<Header> headers_;
  std::optional<Exit> ended_;
  std::string stopped_partition_;  ///< why the first one was stopped
  std::string held_back_by_;
  std::string last_failure_;            ///< what the last retry said
  std::map<PartitionRef, AssignedPartition> assigned_;  ///< as the source last described them
  std::vector<PartitionHandle> starting_over_;          ///< found to be another log, and accepted as such
  bool leaving_ = false;
  core::Ticks leave_deadline_{};

  core::Ticks next_commit_{}, next_recommit_{}, next_stream_time_{}, next_look_{};
  int commit_failures_ = 0;
  struct PendingSkip { PartitionHandle handle; core::DeliveryCore::Skip skip; };
  std::map<std::uint64_t, PendingSkip> skips_;
  std::uint64_t next_skip_token_ = 1;
  std::uint64_t returning_changes_ = 0;  ///< of the ledger, when it was last asked
};

}  // namespace idem::runtime
