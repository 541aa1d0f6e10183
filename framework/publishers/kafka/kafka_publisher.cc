#include <idem/kafka_publisher.h>

#include "publishers/front.h"
#include "publishers/kafka/sender.h"

namespace idem {

struct KafkaPublisher::Impl {
  explicit Impl(const KafkaPublisherOptions& options) : sender(options) {}
  kafka::Sender sender;
};

KafkaPublisher::KafkaPublisher(KafkaPublisherOptions options) : impl_(std::make_unique<Impl>(options)) {}
KafkaPublisher::~KafkaPublisher() = default;

PublishResult KafkaPublisher::publish(KafkaOutgoing message) {
  return publish::submit_one_and_wait(impl_->sender, std::move(message));
}

std::vector<PublishResult> KafkaPublisher::publish_all(std::vector<KafkaOutgoing> messages) {
  return publish::submit_and_wait(impl_->sender, std::move(messages));
}

std::future<PublishResult> KafkaPublisher::publish_async(KafkaOutgoing message) {
  return publish::submit_for_future(impl_->sender, std::move(message));
}

void KafkaPublisher::publish_async(KafkaOutgoing message, PublishCallback done) {
  publish::submit(impl_->sender, std::move(message), std::move(done));
}

std::vector<StoppedLane> KafkaPublisher::stopped() const { return impl_->sender.stopped(); }

bool KafkaPublisher::resume(const std::string& topic, const std::optional<std::string>& key,
                            std::optional<std::int32_t> partition) {
  return impl_->sender.resume(kafka::make_lane(topic, key, partition));
}

const std::string& KafkaPublisher::id_header() const { return impl_->sender.id_header(); }

bool KafkaPublisher::flush(std::chrono::milliseconds timeout) { return impl_->sender.flush(timeout); }

Unresolved KafkaPublisher::close(std::chrono::milliseconds timeout) { return impl_->sender.close(timeout); }

}  // namespace idem
