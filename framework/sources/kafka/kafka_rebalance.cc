// Partitions come and go. Everything happens inside librdkafka's rebalance callback, which is served by a
// poll on the I/O thread: drain, commit, give up, in this order, before the callback returns. An assignment
// answered later could undo a newer one.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "runtime/failpoint.h"
#include "sources/kafka/kafka_consumer.h"

namespace idem::kafka {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds assign_patience{20};

}  // namespace

void Consumer::on_rebalance(rd_kafka_t*, int error, rd_kafka_topic_partition_list_t* list, void* opaque) {
  Consumer& self = *static_cast<Link*>(opaque)->consumer;
  self.rebalance(error, *list);
  // Its exception, if any, is thrown on by the poll that serves this callback: no exception crosses a C
  // frame.
}

void Consumer::rebalance(int error, const rd_kafka_topic_partition_list_t& list) {
  PartitionList assigned = make_list(0);
  bool gained = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  try {
    if (gained && events_ && !thrown_ && !closing_) {  // what comes while leaving is not taken any more
      std::vector<PartitionRef> wanted;
      for (int i = 0; i < list.cnt; ++i) wanted.push_back({list.elems[i].topic, list.elems[i].partition});
      assigned = take_over(wanted);
    } else if (!gained && events_) {
      std::vector<Slot*> leaving;
      for (int i = 0; i < list.cnt; ++i)
        if (Slot* slot = partitions_.find(list.elems[i].topic, list.elems[i].partition); slot && slot->held)
          leaving.push_back(slot);
      give_up(leaving, rd_kafka_assignment_lost(client_));
    }
  } catch (...) {
    if (!thrown_) thrown_ = std::current_exception();
  }
  answer_rebalance(gained, gained ? *assigned : list);
  last_rebalance_ = steady_clock::now();
  rd_kafka_yield(client_);  // back to poll(), which rethrows, and looks at the group once more
}

void Consumer::answer_rebalance(bool gained, const rd_kafka_topic_partition_list_t& list) {
  // A group that was left while its assignment was on the way has no protocol any more. The assignment means nothing
  // then, but librdkafka waits for an answer before it closes.
  const char* protocol = rd_kafka_rebalance_protocol(client_);
  if (!protocol) {
    rd_kafka_assign(client_, nullptr);
    return;
  }
  std::string error;
  if (std::strcmp(protocol, "COOPERATIVE") == 0) {
    error = text(
        Error(gained ? rd_kafka_incremental_assign(client_, &list) : rd_kafka_incremental_unassign(client_, &list)));
  } else if (auto failed = rd_kafka_assign(client_, gained ? &list : nullptr)) {
    error = rd_kafka_err2str(failed);
  }
  if (!error.empty() && events_) fatal("the group's assignment could not be taken over: " + error);
}

/// Asks what there is to know, lets the runtime decide, and answers what is to be fetched from where.
PartitionList Consumer::take_over(std::span<const PartitionRef> partitions) {
  std::vector<AssignedPartition> described = lookup_->describe(partitions, steady_clock::now() + assign_patience);
  std::vector<StartAt> starts = events_->on_assigned(described);
  if (starts.size() != described.size()) throw std::logic_error("on_assigned must answer for each partition");
  PartitionList assigned = make_list(starts.size());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    begin(described[i], starts[i]);
    if (!starts[i].read) continue;
    const PartitionRef& ref = described[i].partition;
    rd_kafka_topic_partition_list_add(assigned.get(), ref.topic.c_str(), ref.partition)->offset = starts[i].offset;
  }
  if (watch_) watch_->look_at(partitions_.all());
  return assigned;
}

void Consumer::begin(const AssignedPartition& described, const StartAt& start) {
  Slot* slot = partitions_.find(described.partition.topic, described.partition.partition);
  if (!slot) throw std::logic_error("assigned a partition of a topic that is not read");
  slot->handle = start.handle;
  slot->held = true;
  slot->read = start.read;
  slot->want_paused = start.paused;
  slot->dropped = false;
  slot->next = start.offset;
  slot->log_begin = described.log_begin;
  slot->log_end = described.log_end;
  slot->moved = true;
  slot->nudges = 0;
  // is_paused is of the last assignment: librdkafka may have kept it.
  if (slot->is_paused || slot->want_paused) pauses_changed_ = true;
}

void Consumer::give_up(std::span<Slot* const> slots, bool lost) {
  if (slots.empty()) return;
  (void)IDEM_FAILPOINT("source.revoke_begin");
  std::vector<PartitionHandle> handles;
  for (Slot* slot : slots) {
    handles.push_back(slot->handle);
    slot->read = false;
    if (lost) slot->held = false;  // from here on its commits are refused
  }
  if (lost)
    events_->on_lost(handles);
  else
    events_->on_revoked(handles);
  for (Slot* slot : slots) slot->held = false;
  (void)IDEM_FAILPOINT("source.revoke_end");
}

}  // namespace idem::kafka
