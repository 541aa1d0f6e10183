#include "sources/kafka/kafka_commits.h"

#include <librdkafka/rdkafka.h>

#include <cstring>

#include "runtime/failpoint.h"
#include "sources/kafka/kafka_lookup.h"
#include "sources/kafka/kafka_partitions.h"

namespace idem::kafka {
namespace {

using std::chrono::steady_clock;

/// The group has members that subscribed, and to those alone the broker lets commit.
bool means_not_a_member(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
         error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS || error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

/// Trying again cannot help: the broker refuses this group, topic or content as such.
bool is_final(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FATAL:
      return true;
    default:
      return false;
  }
}

PartitionList list_of(std::span<const Commit> commits) {
  PartitionList list = make_list(commits.size());
  for (const Commit& commit : commits) {
    rd_kafka_topic_partition_t* element =
        rd_kafka_topic_partition_list_add(list.get(), commit.partition.topic.c_str(), commit.partition.partition);
    element->offset = commit.next;
    if (commit.metadata.empty()) continue;
    element->metadata = rd_kafka_mem_malloc(nullptr, commit.metadata.size());  // the list frees it
    element->metadata_size = commit.metadata.size();
    std::memcpy(element->metadata, commit.metadata.data(), commit.metadata.size());
  }
  return list;
}

}  // namespace

Commits::Batch& Commits::dispatch(std::span<const Commit> commits, rd_kafka_queue_t* answers) {
  Batch& batch = under_way_.emplace_back(Batch{this, {commits.begin(), commits.end()}, {}});
  batch.self = std::prev(under_way_.end());
  PartitionList list = list_of(commits);
  auto on_answer = [](rd_kafka_t* client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* answered,
                      void* opaque) {
    Batch& mine = *static_cast<Batch*>(opaque);
    mine.owner->answer(mine, error, answered);
    rd_kafka_yield(client);  // the poll that served this returns and reports
  };
  rd_kafka_resp_err_t error = rd_kafka_commit_queue(client_, list.get(), answers, on_answer, &batch);
  if (error) answer(batch, error, nullptr);
  return batch;
}

void Commits::send(std::span<const Commit> commits) {
  dispatch(commits, answers_);
  (void)IDEM_FAILPOINT("source.after_commit_sent");
}

void Commits::send_and_wait(std::span<const Commit> commits, std::chrono::milliseconds timeout) {
  Queue answers(rd_kafka_queue_new(client_));
  Deadline deadline = steady_clock::now() + timeout;
  std::size_t before = under_way_.size();
  Batch* batch = &dispatch(commits, answers.get());
  (void)IDEM_FAILPOINT("source.after_commit_sent");
  while (under_way_.size() > before && steady_clock::now() < deadline)
    rd_kafka_queue_poll_callback(answers.get(), remaining(deadline));
  // An answer that comes later finds its queue gone and is dropped with it.
  if (under_way_.size() > before) answer(*batch, RD_KAFKA_RESP_ERR__TIMED_OUT, nullptr);
}

void Commits::refuse(const Commit& commit, std::string why) {
  answered_.push_back({commit.handle, commit.next, /*ok=*/false, /*retriable=*/true, std::move(why)});
}

void Commits::give_up() {
  while (!under_way_.empty()) answer(under_way_.front(), RD_KAFKA_RESP_ERR__DESTROY, nullptr);
}

/// When any partition has an error of its own, the error of the whole is only a copy of it. (librdkafka 2.0 writes the
/// copy over the other partitions too: one may be reported as failed that was committed, never the other way round.)
void Commits::answer(Batch& batch, int error, const rd_kafka_topic_partition_list_t* list) {
  bool one_by_one = false;
  for (int i = 0; list && i < list->cnt; ++i) one_by_one |= list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR;
  for (std::size_t i = 0; i < batch.commits.size(); ++i) {
    const Commit& commit = batch.commits[i];
    int own = error;
    if (one_by_one)
      if (const auto* element =
              rd_kafka_topic_partition_list_find(const_cast<rd_kafka_topic_partition_list_t*>(list),
                                                 commit.partition.topic.c_str(), commit.partition.partition))
        own = element->err;
    answered_.push_back(result(commit, own));
  }
  under_way_.erase(batch.self);
}

CommitResult Commits::result(const Commit& commit, int error) const {
  auto code = static_cast<rd_kafka_resp_err_t>(error);
  if (!code) return {commit.handle, commit.next, /*ok=*/true, /*retriable=*/true, ""};
  std::string why =
      "cannot commit " + to_string(commit.partition) + " to group \"" + group_ + "\": " + rd_kafka_err2str(code);
  if (fixed_ && means_not_a_member(code)) {
    why +=
        ". Members have subscribed to this group, and Kafka lets only those commit. Give this process a "
        "group.id "
        "of its own or stop them: Mode::fixed and Mode::group cannot share a group";
    return {commit.handle, commit.next, /*ok=*/false, /*retriable=*/false, std::move(why)};
  }
  return {commit.handle, commit.next, /*ok=*/false, /*retriable=*/!is_final(code), std::move(why)};
}

}  // namespace idem::kafka
