// The AMQP-like side of one node: a queue instead of a log. A partition is one queue with one channel at a time; what
// comes carries a delivery tag that counts from 1 on each channel, an acknowledgement has no answer, and what is not
// acknowledged when the channel ends lies in the queue again.
//
// Whatever identifies a message to the checker goes along in a header, for the tag does not.
#pragma once

#include <array>
#include <vector>

#include "sim/source.h"
#include "sources/rabbitmq/delivery_tags.h"

namespace idem::sim {

class SimQueueSource final : public SimSource {
 public:
  using SimSource::SimSource;

  SourceTraits traits() const override { return {"sim queue", /*stable_positions=*/false}; }
  void poll(std::chrono::milliseconds wait, std::size_t limit) override;
  void acknowledge(PartitionHandle handle, std::span<const std::int64_t> offsets) override;

 private:
  void opened(int partition, Reader& reader) override;
  void closing(int partition) override;
  void deliver(int partition, std::size_t& room) override;
  bool deliver_tagged(int partition, Sent& sent);
  void hand_back(int partition);
  void send_acks(int partition);

  struct Channel {
    rabbit::DeliveryTags tags;
    std::uint64_t last = 0;  ///< tag
    std::vector<std::int64_t> again;  ///< offsets handed back, which come next
  };
  std::array<Channel, partition_count> channels_;
};

}  // namespace idem::sim
