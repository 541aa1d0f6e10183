// What a pipeline does when partitions come and go.
#include <algorithm>
#include <utility>

#include "core/mutant.h"
#include "core/start_position.h"
#include "runtime/failpoint.h"
#include "runtime/log.h"
#include "runtime/pipeline.h"
#include "runtime/store_retry.h"

namespace idem::runtime {

using namespace std::chrono_literals;
using core::Mutant;
using core::mutated;
using core::Partition;

namespace {

/// Longer than any rebalance takes.
constexpr auto stream_time_pause = 60s;

}  // namespace

std::vector<StartAt> Pipeline::on_assigned(std::span<const AssignedPartition> partitions) {
  std::vector<StartAt> starts;
  for (const AssignedPartition& assigned : partitions) starts.push_back(start_partition(assigned));
  next_commit_ = parts_.clock.now();  // a first position is committed at once: a reset must find it (auto.offset.reset)
  return starts;
}

// A store that is busy for the moment must not end the run here.
StartAt Pipeline::start_partition(const AssignedPartition& assigned) {
  try {
    return ask_store([&] { return begin_partition(assigned); }, [&](auto pause) { parts_.executor.wait(pause); });
  } catch (const StoreError& e) {
    end(ExitReason::store_failed, e.what());
    return {{}, false, 0};
  }
}

StartAt Pipeline::begin_partition(const AssignedPartition& assigned) {
  const StartAt unread{{}, false, 0};
  Ledger::Opened opened;
  core::StartDecision decision;
  if (positions_) {
    Accept accept = parts_.options.accept;
    if (!parts_.store.durable) accept.empty_store = true;  // it forgets on exit, and says so
    opened = parts_.ledger.open(assigned.partition);
    decision = core::decide_start(assigned, opened.progress, opened.origin, parts_.store.id, accept);
  } else {
    decision.start = assigned.initial;
    decision.progress.reset(assigned.initial);
    opened.slot = Record::no_partition;
  }
  switch (decision.action) {
    case core::StartDecision::Action::refuse:
      end(ExitReason::refused, decision.why);
      return unread;
    case core::StartDecision::Action::stop_partition:
      log().error("partition stopped: {}", decision.why);
      if (stopped_partition_.empty()) stopped_partition_ = decision.why;
      return unread;
    case core::StartDecision::Action::read:
      break;
  }
  if (!decision.why.empty()) log().warn("{}", decision.why);
  if (positions_ && decision.changed && !reset(assigned, opened.slot, decision.progress)) return unread;
  assigned_[assigned.partition] = assigned;
  const auto writer = core::store_in_metadata(assigned.metadata);
  const bool ours = assigned.committed && writer && *writer == parts_.store.id;
  Partition& p = core_.assign(assigned.partition, opened.slot, std::move(decision.progress), decision.start,
                              ours ? assigned.committed : std::nullopt, decision.check);
  p.paused = !mutated(Mutant::budget_ignored_at_start) && (leaving_ || core_.wants_pause(p));
  return {p.handle(), true, decision.start, p.paused};
}

// A record of an earlier assignment that is still under way would be put into the new history: its offset would count
// as done there. So nothing of the partition may be in flight.
bool Pipeline::reset(const AssignedPartition& assigned, std::uint32_t slot, const Progress& progress) {
  const auto under_way = [&] {
    return std::any_of(core_.partitions().begin(), core_.partitions().end(),
                       [&](const Partition& p) { return p.ref == assigned.partition && p.messages > 0; });
  };
  if (!collect_while(under_way, parts_.clock.now() + parts_.options.drain_timeout)) {
    end(ExitReason::drain_timeout, to_string(assigned.partition) +
                                       " cannot start over: handlers of its earlier assignment still run");
    return false;
  }
  parts_.ledger.reset(slot, progress, assigned.origin);
  return true;
}

// While partitions change hands nobody reads some of them, and what lies unread there must not become too old to be
// told from a copy.
void Pipeline::hold_stream_time() {
  next_stream_time_ = parts_.clock.now() + stream_time_pause;
  parts_.on_stream_time(std::nullopt);
}

void Pipeline::on_revoked(std::span<const PartitionHandle> partitions) {
  std::vector<PartitionHandle> held;
  for (PartitionHandle handle : partitions)
    if (core_.find(handle)) held.push_back(handle);
  if (held.empty()) return;
  (void)IDEM_FAILPOINT("io.revoke_begin");
  for (PartitionHandle handle : held) core_.hold(handle);
  hold_stream_time();
  const auto deadline = leaving_ ? leave_deadline_ : parts_.clock.now() + parts_.options.drain_timeout;
  drain(held, deadline);
  commit_now(held, deadline);
  (void)IDEM_FAILPOINT("io.revoke_committed");
  for (PartitionHandle handle : held) core_.release(handle);
}

void Pipeline::on_lost(std::span<const PartitionHandle> partitions) {
  const std::vector<PartitionHandle> lost(partitions.begin(), partitions.end());
  if (mutated(Mutant::commit_on_lost)) commit(true, lost);
  for (PartitionHandle handle : lost) core_.release(handle);
  hold_stream_time();
  if (positions_)  // a source without positions has said itself what happened to its connection
    log().warn("{} partitions lost: the group gave them to somebody else; nothing was committed for them", lost.size());
}

// The remembered record was read once more and is another one: this is not the log the store knows.
void Pipeline::other_record(Partition& partition, std::int64_t offset) {
  const std::string what = to_string(partition.ref) + ": the record at offset " + std::to_string(offset) +
                           " is not the one that was processed there: the topic was deleted and recreated, or truncated";
  const PartitionHandle handle = partition.handle();
  if (parts_.options.accept.recreated_topic) {
    log().warn("{}; starting over at its beginning as asked, remembered ids are kept", what);
    starting_over_.push_back(handle);
    core_.hold(handle);
    return;
  }
  log().error("partition stopped: {}. It is not read any further. To start over at its beginning with the remembered ids "
              "kept, set accept.recreated_topic", what);
  if (stopped_partition_.empty()) stopped_partition_ = what + "; accept.recreated_topic starts over at its beginning";
  parts_.source.set_paused(handle, true);
  core_.release(handle);
}

// Between polls: the source is not inside a callback.
void Pipeline::start_over() {
  for (PartitionHandle handle : std::exchange(starting_over_, {})) {
    Partition* p = core_.find(handle);
    if (!p) continue;
    const AssignedPartition& assigned = assigned_.at(p->ref);
    const Progress fresh(assigned.log_begin);
    const std::uint32_t slot = p->slot;
    core_.release(handle);
    if (!reset(assigned, slot, fresh)) return;
    Partition& again = core_.assign(assigned.partition, slot, fresh, assigned.log_begin, std::nullopt, std::nullopt);
    parts_.source.seek(handle, {again.handle(), true, assigned.log_begin});
  }
}

}  // namespace idem::runtime
