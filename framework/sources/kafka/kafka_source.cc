#include <idem/kafka.h>

#include "sources/kafka/kafka_consumer.h"

namespace idem {

struct KafkaSource::Impl {
  KafkaOptions options;
  std::unique_ptr<kafka::Consumer> consumer;  ///< from start() to the end: wake() may come at any time in between
};

KafkaSource::KafkaSource(KafkaOptions options) : impl_(std::make_unique<Impl>(Impl{std::move(options), nullptr})) {}
KafkaSource::~KafkaSource() = default;

SourceTraits KafkaSource::traits() const {
  std::string name = "kafka";
  for (const std::string& topic : impl_->options.topics) name += (name == "kafka" ? " " : ",") + topic;
  return {name, /*stable_positions=*/true};
}

void KafkaSource::start(SourceEvents& events, const SourceContext& context) {
  impl_->consumer = std::make_unique<kafka::Consumer>(impl_->options, events, context);
  try {
    impl_->consumer->start();
  } catch (...) {
    impl_->consumer.reset();
    throw;
  }
}

void KafkaSource::poll(std::chrono::milliseconds wait, std::size_t limit) { impl_->consumer->poll(wait, limit); }

void KafkaSource::wake() {
  if (impl_->consumer) impl_->consumer->wake();
}

void KafkaSource::set_paused(PartitionHandle partition, bool paused) { impl_->consumer->set_paused(partition, paused); }

void KafkaSource::seek(PartitionHandle before, const StartAt& start) { impl_->consumer->seek(before, start); }

void KafkaSource::commit(std::span<const Commit> commits, bool wait) { impl_->consumer->commit(commits, wait); }

std::optional<std::int64_t> KafkaSource::lag(PartitionHandle partition, std::int64_t next) const {
  return impl_->consumer ? impl_->consumer->lag(partition, next) : std::nullopt;
}

void KafkaSource::stop() {
  if (impl_->consumer) impl_->consumer->stop();
}

}  // namespace idem
