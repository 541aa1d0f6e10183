// Kafka as a source. The C library (librdkafka) stays in the .cc file.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <idem/source.h>

namespace idem {

struct KafkaOptions {
  /// Topics to read. Required.
  std::vector<std::string> topics;

  /// librdkafka properties, passed through. Required: bootstrap.servers and group.id. Refused by name: properties that
  /// do not exist, have a bad value, or break the promise (enable.auto.commit=true, enable.auto.offset.store=true,
  /// partition.assignment.strategy=cooperative-sticky below librdkafka 2.10, …).
  /// Set for you unless given: auto.offset.reset=earliest, check.crcs=true, partition.assignment.strategy=range,
  /// enable.partition.eof=true, fetch.wait.max.ms=100 (a partition that is resumed waits for a fetch of the idle ones),
  /// queued.max.messages.kbytes from the runtime's budget.
  /// Set group.instance.id to a name stable across restarts: a restarted process has its partitions back at once
  /// instead of after session.timeout.ms.
  std::map<std::string, std::string> properties;

  enum class Mode {
    group,  ///< subscribe: the group's members share the partitions
    fixed,  ///< assign: this process reads `partitions`, joins nothing and starts in milliseconds. Offsets are still
            ///< committed to the group. Kafka does not keep a second process off these partitions.
  };
  Mode mode = Mode::group;
  /// Mode::fixed: partition numbers, the same for each topic; empty: all partitions of the topics at start.
  std::vector<std::int32_t> partitions;

  /// How often the group's committed metadata is looked at, to find a second process with its own local store.
  std::chrono::milliseconds watch_interval{5'000};
};

class KafkaSource final : public Source {
 public:
  explicit KafkaSource(KafkaOptions options);
  ~KafkaSource() override;

  SourceTraits traits() const override;
  void start(SourceEvents& events, const SourceContext& context) override;
  void poll(std::chrono::milliseconds wait, std::size_t limit) override;
  void wake() override;
  void set_paused(PartitionHandle partition, bool paused) override;
  void seek(PartitionHandle before, const StartAt& start) override;
  void commit(std::span<const Commit> commits, bool wait) override;
  std::optional<std::int64_t> lag(PartitionHandle partition, std::int64_t next) const override;
  void stop() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace idem
