// Kafka, real or in process, as a place for the source suite.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <idem/kafka.h>

#include "source_suite.h"
#include "support/kafka_client.h"

namespace idem::conformance {

class KafkaPlace final : public SourcePlace {
 public:
  /// `topic` exists, with two partitions. `broker` is kept as long as this.
  KafkaPlace(std::string bootstrap, std::string topic, KafkaOptions::Mode mode,
             std::shared_ptr<void> broker = nullptr)
      : broker_(std::move(broker)),
        bootstrap_(bootstrap),
        topic_(std::move(topic)),
        mode_(mode),
        client_(bootstrap) {}
  ~KafkaPlace() override {
    if (other_) other_->stop();
  }

  std::string topic() const override { return topic_; }

  std::unique_ptr<Source> make_source() override {
    KafkaOptions options;
    options.topics = {topic_};
    options.properties = {{"bootstrap.servers", bootstrap_},
                          {"group.id", group()},
                          {"session.timeout.ms", "30000"},
                          {"fetch.wait.max.ms", "10"},
                          {"heartbeat.interval.ms", "300"}};
    options.mode = mode_;
    options.watch_interval = 200ms;
    return std::make_unique<KafkaSource>(options);
  }

  std::vector<std::int64_t> append(std::int32_t partition, const std::vector<Copy>& messages) override {
    std::vector<test::Record> records;
    for (const Copy& message : messages)
      records.push_back({message.key, message.payload, message.headers, partition, {}});
    std::vector<std::int64_t> offsets;
    for (const test::Position& position : client_.produce(topic_, records))
      offsets.push_back(position.offset);
    return offsets;
  }
  std::optional<std::pair<std::int64_t, std::string>> committed(std::int32_t partition) override {
    auto found = client_.committed(group(), topic_, {partition});
    if (found.empty()) return std::nullopt;
    return std::pair(found[partition].offset, found[partition].metadata);
  }
  void commit(std::int32_t partition, std::int64_t next, const std::string& metadata) override {
    client_.commit(group(), {topic_, partition}, {next, metadata});
  }

  bool begin_take_away(Source&) override {
    if (mode_ == KafkaOptions::Mode::fixed) return false;
    other_ = make_source();
    other_recorder_.source = other_.get();
    other_->start(other_recorder_, {"other", 10'000, 64 << 20, 5s});
    return true;
  }
  void turn() override {
    if (other_) other_->poll(0ms, 100);
  }

 private:
  std::string group() const { return "group-of-" + topic_; }

  std::shared_ptr<void> broker_;
  std::string bootstrap_, topic_;
  KafkaOptions::Mode mode_;
  test::KafkaClient client_;
  Recorder other_recorder_;
  std::unique_ptr<Source> other_;
};

}  // namespace idem::conformance
