#include <idem/rabbitmq.h>

#include "sources/rabbitmq/rabbit_consumer.h"

namespace idem {

struct RabbitSource::Impl {
  explicit Impl(RabbitOptions o) : options(std::move(o)) {}
  const RabbitOptions options;
  rabbit::Tally tally;
  std::unique_ptr<rabbit::Consumer> consumer;  ///< from start() to the end: wake() may come at any time in between
};

RabbitSource::RabbitSource(RabbitOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
RabbitSource::~RabbitSource() = default;

SourceTraits RabbitSource::traits() const { return {"rabbitmq " + impl_->options.queue, /*stable_positions=*/false}; }

void RabbitSource::start(SourceEvents& events, const SourceContext& context) {
  impl_->consumer = std::make_unique<rabbit::Consumer>(impl_->options, events, context, impl_->tally);
  try {
    impl_->consumer->start();
  } catch (...) {
    impl_->consumer.reset();
    throw;
  }
}

void RabbitSource::poll(std::chrono::milliseconds wait, std::size_t limit) { impl_->consumer->poll(wait, limit); }

void RabbitSource::wake() {
  if (impl_->consumer) impl_->consumer->wake();
}

void RabbitSource::set_paused(PartitionHandle partition, bool paused) { impl_->consumer->set_paused(partition, paused); }

// Both belong to positions, which there are none of.
void RabbitSource::seek(PartitionHandle, const StartAt&) {}
void RabbitSource::commit(std::span<const Commit>, bool) {}

void RabbitSource::acknowledge(PartitionHandle partition, std::span<const std::int64_t> offsets) {
  impl_->consumer->acknowledge(partition, offsets);
}

void RabbitSource::keep_alive() {
  if (impl_->consumer) impl_->consumer->keep_alive();
}

std::optional<std::int64_t> RabbitSource::lag(PartitionHandle partition, std::int64_t) const {
  return impl_->consumer ? impl_->consumer->lag(partition) : std::nullopt;
}

void RabbitSource::stop() {
  if (impl_->consumer) impl_->consumer->stop();
}

RabbitIncidents RabbitSource::incidents() const { return impl_->tally.read(); }

}  // namespace idem
