// The running consumer behind a KafkaSource: one librdkafka client, from start to stop.
//
//   kafka_consumer.cc   start, the path of a message, pauses, commits, stop
//   kafka_rebalance.cc  partitions come and go
//   kafka_faults.cc     what goes wrong: errors, outages, partitions that are silent
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <idem/kafka.h>

#include "sources/kafka/kafka_commits.h"
#include "sources/kafka/kafka_config.h"
#include "sources/kafka/kafka_handles.h"
#include "sources/kafka/kafka_lookup.h"
#include "sources/kafka/kafka_partitions.h"
#include "sources/kafka/kafka_watch.h"

struct rd_kafka_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_partition_list_s;

namespace idem::kafka {

class Consumer {
 public:
  /// Checks the options. Throws as Source::start() does.
  Consumer(KafkaOptions options, SourceEvents& events, const SourceContext& context);
  /// Leaves without telling anybody, if stop() was not called.
  ~Consumer();

  /// Connects, looks at the topics and begins to read. Throws as Source::start() does.
  void start();
  void poll(std::chrono::milliseconds wait, std::size_t limit);
  void wake();
  void set_paused(PartitionHandle partition, bool paused);
  void seek(PartitionHandle before, const StartAt& start);
  void commit(std::span<const Commit> commits, bool wait);
  std::optional<std::int64_t> lag(PartitionHandle partition, std::int64_t next);
  void stop();

 private:
  // --- start and stop
  void connect();
  void look_at_topics();
  void look_at_group(Deadline deadline);
  void subscribe();
  void assign_fixed();
  bool fixed() const { return options_.mode == KafkaOptions::Mode::fixed; }
  void close();

  // --- the path of a message
  bool take(rd_kafka_message_s& received);
  bool deliver(rd_kafka_message_s& received);
  void reached_end(rd_kafka_message_s& received);
  bool set_headers(rd_kafka_message_s& received);
  void apply_pauses();
  void report_commits();
  void look_around(TimePoint now);

  // --- rebalance
  static void on_rebalance(rd_kafka_s* client, int error, rd_kafka_topic_partition_list_s* list, void* opaque);
  void rebalance(int error, const rd_kafka_topic_partition_list_s& list);
  PartitionList take_over(std::span<const PartitionRef> partitions);
  void begin(const AssignedPartition& described, const StartAt& start);
  void give_up(std::span<Slot* const> slots, bool lost);
  void answer_rebalance(bool assigned, const rd_kafka_topic_partition_list_s& list);

  // --- faults
  static void on_error(rd_kafka_s* client, int error, const char* reason, void* opaque);
  static void on_log(const rd_kafka_s* client, int level, const char* facility, const char* line);
  void client_error(int error, std::string reason);
  void client_is_dead();
  void partition_error(rd_kafka_message_s& received);
  void topic_is_gone(const std::string& topic);
  void fatal(const std::string& what);
  void warn_once(const std::string& key, const std::string& what);
  void answered(TimePoint asked);
  void skipped_below_log_begin(Slot& slot, std::int64_t offset);
  void look_for_silent_partitions(TimePoint now);
  void nudge(std::vector<Slot*>& silent);

  /// What librdkafka's callbacks are given. It may outlive this object with a client that does not end.
  struct Link {
    Consumer* consumer;
    std::vector<std::string> secrets;
  };

  const KafkaOptions options_;
  SourceEvents* events_;
  Configuration configuration_;
  std::shared_ptr<Link> link_;
  rd_kafka_s* client_ = nullptr;  ///< destroyed by the destructor, under a deadline
  Queue queue_;                   ///< the consumer's own: messages, rebalances and answers to commits
  std::optional<Lookup> lookup_;
  std::optional<Commits> commits_;
  std::optional<Watch> watch_;
  Partitions partitions_;
  std::vector<Header> headers_;  ///< of the message being delivered
  bool pauses_changed_ = false;
  std::exception_ptr thrown_;  ///< by the runtime inside a callback of librdkafka's

  bool ended_ = false;  ///< on_fatal was said
  bool closing_ = false;  ///< the group is being left
  bool outage_ = false;
  TimePoint outage_began_{};
  std::string last_refusal_;  ///< of a login, since the last good sign of a broker
  std::set<std::string> warned_;
  TimePoint next_check_{};
  TimePoint last_rebalance_{};
};

}  // namespace idem::kafka
