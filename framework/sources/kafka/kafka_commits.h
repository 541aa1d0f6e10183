// Offset commits: sent, waited for, and answered partition by partition.
#pragma once

#include <chrono>
#include <list>
#include <span>
#include <string>
#include <vector>

#include <idem/source.h>

#include "sources/kafka/kafka_handles.h"

struct rd_kafka_s;

namespace idem::kafka {

class Commits {
 public:
  /// `answers` is the consumer's queue, so that an answer wakes a poll; served by rd_kafka_consumer_poll.
  /// `fixed`: this process is no member of the group.
  Commits(rd_kafka_s* client, rd_kafka_queue_s* answers, std::string group, bool fixed)
      : client_(client), answers_(answers), group_(std::move(group)), fixed_(fixed) {}

  /// The result is among answered() after a later poll.
  void send(std::span<const Commit> commits);
  /// The result is among answered() on return, if only as "no answer in time".
  void send_and_wait(std::span<const Commit> commits, std::chrono::milliseconds timeout);
  /// Answers without asking.
  void refuse(const Commit& commit, std::string why);
  /// Whatever is still under way will not be answered any more.
  void give_up();

  bool any_answered() const { return !answered_.empty(); }
  std::vector<CommitResult> take_answered() { return std::exchange(answered_, {}); }

 private:
  struct Batch {
    Commits* owner;
    std::vector<Commit> commits;
    std::list<Batch>::iterator self;
  };
  Batch& dispatch(std::span<const Commit> commits, rd_kafka_queue_s* answers);
  void answer(Batch& batch, int error, const rd_kafka_topic_partition_list_s* list);
  CommitResult result(const Commit& commit, int error) const;

  rd_kafka_s* client_;
  rd_kafka_queue_s* answers_;
  std::string group_;
  bool fixed_;
  std::list<Batch> under_way_;
  std::vector<CommitResult> answered_;
};

}  // namespace idem::kafka
