#include <idem/rabbitmq_publisher.h>

#include "publishers/front.h"
#include "publishers/rabbitmq/sender.h"

namespace idem {

struct RabbitPublisher::Impl {
  explicit Impl(const RabbitPublisherOptions& options) : sender(options) {}
  rabbit::Sender sender;
};

RabbitPublisher::RabbitPublisher(RabbitPublisherOptions options) : impl_(std::make_unique<Impl>(options)) {}
RabbitPublisher::~RabbitPublisher() = default;

PublishResult RabbitPublisher::publish(RabbitOutgoing message) {
  return publish::submit_one_and_wait(impl_->sender, std::move(message));
}

std::vector<PublishResult> RabbitPublisher::publish_all(std::vector<RabbitOutgoing> messages) {
  return publish::submit_and_wait(impl_->sender, std::move(messages));
}

std::future<PublishResult> RabbitPublisher::publish_async(RabbitOutgoing message) {
  return publish::submit_for_future(impl_->sender, std::move(message));
}

void RabbitPublisher::publish_async(RabbitOutgoing message, PublishCallback done) {
  publish::submit(impl_->sender, std::move(message), std::move(done));
}

bool RabbitPublisher::flush(std::chrono::milliseconds timeout) { return impl_->sender.flush(timeout); }

Unresolved RabbitPublisher::close(std::chrono::milliseconds timeout) { return impl_->sender.close(timeout); }

}  // namespace idem
