#include "sim/source.h"

#include <algorithm>

namespace idem::sim {

// --- Orders of the group
// ------------------------------------------------------------------------------------------

void SimSource::order_assign(int partition) {
  broker_.give(partition, node_);
  readers_[index(partition)].order = Order::assign;
}

void SimSource::order_revoke(int partition) { readers_[index(partition)].order = Order::revoke; }

void SimSource::order_lost(int partition) {
  Reader& reader = readers_[index(partition)];
  reader.order = reader.held ? Order::lost : Order::none;
}

void SimSource::obey_orders() {
  for (int partition = 0; partition < history_.scenario.partitions; ++partition) {
    Reader& reader = readers_[index(partition)];
    if (reader.order == Order::lost && history_.fault(Fault::late_notice, 2)) continue;
    const Order order = reader.order;
    reader.order = Order::none;
    if (order == Order::assign) assign(partition);
    if (order == Order::revoke) give_up(partition, /*lost=*/false);
    if (order == Order::lost) give_up(partition, /*lost=*/true);
  }
}

void SimSource::assign(int partition) {
  const Broker::Partition& log = broker_.partition(partition);
  AssignedPartition assigned;
  assigned.partition = {"t", partition};
  assigned.committed = log.committed;
  assigned.metadata = log.metadata;
  assigned.log_end = log.end;
  assigned.origin = "cluster=c";
  if (!traits().stable_positions) assigned.initial = 1;
  history_.trace("node %d    is assigned partition %d", node_, partition);
  const auto starts = events_->on_assigned({&assigned, 1});
  Reader& reader = readers_[index(partition)];
  reader = Reader{};
  reader.held = true;
  reader.read = starts[0].read;
  reader.paused = starts[0].paused;
  reader.handle = starts[0].handle;
  reader.generation = log.generation;
  reader.next = starts[0].offset;
  opened(partition, reader);
}

void SimSource::give_up(int partition, bool lost) {
  Reader& reader = readers_[index(partition)];
  history_.trace("node %d    %s partition %d", node_, lost ? "has lost" : "gives back", partition);
  reader.read = false;
  reader.lost = lost;
  if (lost) {
    events_->on_lost({&reader.handle, 1});
  } else {
    events_->on_revoked({&reader.handle, 1});
    closing(partition);
    if (broker_.partition(partition).generation == reader.generation) broker_.take(partition);
  }
  reader.held = false;
}

// --- Source
// -------------------------------------------------------------------------------------------------------

void SimSource::poll(std::chrono::milliseconds, std::size_t limit) {
  obey_orders();
  if (!answers_.empty() && (history_.healing || history_.choices.detail(4) != 1)) {
    std::vector<CommitResult> answers;
    answers.swap(answers_);
    for (const CommitResult& r : answers)
      history_.trace("node %d    learns commit %d: %s", node_, static_cast<int>(r.next),
                     r.ok ? "ok" : "failed");
    events_->on_committed(answers);
  }
  std::size_t room = limit;
  const int partitions = history_.scenario.partitions;
  const int first = static_cast<int>(history_.choices.detail(static_cast<std::uint32_t>(partitions)));
  for (int i = 0; i < partitions; ++i) deliver((first + i) % partitions, room);
}

void SimSource::deliver(int partition, std::size_t& room) {
  Reader& reader = readers_[index(partition)];
  Broker::Partition& log = broker_.partition(partition);
  const auto readable = [&reader] { return reader.held && reader.read && !reader.paused; };
  std::size_t at = log.find(reader.next);
  // A fetch brings as much as the broker felt like sending.
  const std::size_t fetched = at + (history_.healing ? 64 : 4 - history_.choices.detail(5));
  while (room > 0 && readable() && at < log.messages.size()) {
    if (at >= fetched) return;
    --room;
    Sent& sent = log.messages[at++];
    if (broker_.copy_is_open(sent)) history_.saw(Saw::copy_waits);
    sent.received = true;
    reader.next = sent.offset + 1;
    if (!deliver_one(partition, sent)) room = 0;
  }
  if (room == 0 || !readable() || at < log.messages.size()) return;
  reader.next = std::max(reader.next, log.end);
  if (reader.next == reader.announced_end) return;
  reader.announced_end = reader.next;
  events_->on_end(reader.handle, reader.next);
}

bool SimSource::deliver_one(int partition, const Sent& sent) {
  if (broker_.partition(partition).owner != node_) history_.saw(Saw::stale_message);
  Message message;
  message.topic = "t";
  message.partition = partition;
  message.offset = sent.offset;
  if (sent.key != Sent::none) message.key = key_text(sent.key);
  message.payload = payload_text(sent.payload);
  message.timestamp = sent.time;
  Header id{"id", std::nullopt};
  if (sent.id != Sent::none) {
    id.value = id_text(sent.id);
    message.headers = {&id, 1};
  }
  history_.trace("node %d    receives %d@%d", node_, partition, static_cast<int>(sent.offset));
  return events_->on_message(readers_[index(partition)].handle, message);
}

SimSource::Reader* SimSource::find(PartitionHandle handle, int* partition) {
  for (int i = 0; i < partition_count; ++i) {
    Reader& reader = readers_[index(i)];
    if (!reader.held || reader.handle != handle) continue;
    if (partition) *partition = i;
    return &reader;
  }
  return nullptr;
}

void SimSource::set_paused(PartitionHandle handle, bool paused) {
  if (Reader* reader = find(handle)) reader->paused = paused;
}

void SimSource::seek(PartitionHandle before, const StartAt& start) {
  Reader* reader = find(before);
  if (!reader) return;
  reader->handle = start.handle;
  reader->read = start.read;
  reader->next = start.offset;
  reader->announced_end = -1;
}

void SimSource::commit(std::span<const Commit> commits, bool wait) {
  history_.crash_here(Saw::crash_before_commit);
  if (wait)
    while (requests_pending()) broker_handles_next();  // one connection: in order
  std::vector<CommitResult> results;
  for (const Commit& commit : commits) {
    int partition = 0;
    const Reader* reader = find(commit.handle, &partition);
    if (!reader) {
      results.push_back({commit.handle, commit.next, false, true, "not assigned"});
      continue;
    }
    if (reader->lost) history_.violate("K8", "an offset commit for a partition that was lost");
    Request request{partition, reader->generation, commit.handle, commit.next, commit.metadata};
    if (wait) {
      results.push_back(handle(request));
    } else if (!requests_.empty() || history_.fault(Fault::commit_late, 3)) {
      history_.saw(Saw::late_commit);
      requests_.push_back(std::move(request));
    } else {
      answers_.push_back(handle(request));
    }
  }
  history_.crash_here(Saw::crash_after_commit);
  if (wait)
    events_->on_committed(results);
  else
    answers_.insert(answers_.end(), results.begin(), results.end());
}

void SimSource::broker_handles_next() {
  answers_.push_back(handle(requests_.front()));
  requests_.erase(requests_.begin());
}

CommitResult SimSource::handle(const Request& request) {
  CommitResult result{request.handle, request.next, false, true, ""};
  if (history_.fault(Fault::commit_refused, 4)) {
    history_.saw(Saw::commit_refused);
    history_.trace("broker    refuses commit %d of partition %d", static_cast<int>(request.next),
                   request.partition);
    return result;
  }
  if (broker_.commit(request.partition, request.generation, request.next, request.metadata) ==
      Broker::Answer::refused)
    return result;
  result.ok = true;
  if (history_.fault(Fault::answer_lost, 6)) {
    history_.saw(Saw::answer_lost);
    result.ok = false;
  }
  return result;
}

void SimSource::stop() {
  for (int partition = 0; partition < history_.scenario.partitions; ++partition) {
    Reader& reader = readers_[index(partition)];
    if (!reader.held) {
      if (reader.order == Order::assign) broker_.take(partition);
      continue;
    }
    give_up(partition, reader.order == Order::lost);
  }
  if (!answers_.empty()) events_->on_committed(answers_);
  answers_.clear();
}

}  // namespace idem::sim
