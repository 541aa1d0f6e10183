// The AMQP-like side of one node: each partition is a queue with a channel of its own. Deliveries have tags that begin
// at 1 on every channel; what is said of them has no answer, and goes under with the channel.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/history.h"
#include "sim/reader.h"
#include "sources/rabbitmq/delivery_tags.h"

namespace idem::sim {

class QueueSource final : public SimReader {
 public:
  QueueSource(History& history, Broker& broker, int node) : history_(history), broker_(broker), node_(node) {}

  // --- SimReader
  // --------------------------------------------------------------------------------------------------
  void order_assign(int partition) override;
  void order_revoke(int) override {}
  void order_lost(int partition) override;
  bool ordered(int partition) const override { return channel(partition).order != Order::none; }
  bool holds(int partition) const override { return channel(partition).open; }
  bool requests_pending() const override { return !requests_.empty(); }
  void broker_handles_next() override;
  std::int64_t position(int partition) const override { return channel(partition).position; }

  // --- Source
  // -----------------------------------------------------------------------------------------------------
  SourceTraits traits() const override { return {"sim", /*stable_positions=*/false}; }
  void start(SourceEvents& events, const SourceContext& context) override;
  void poll(std::chrono::milliseconds wait, std::size_t limit) override;
  void wake() override {}
  void set_paused(PartitionHandle handle, bool paused) override;
  void seek(PartitionHandle, const StartAt&) override {}
  void commit(std::span<const Commit>, bool) override {}
  void acknowledge(PartitionHandle handle, std::span<const std::int64_t> tags) override;
  void stop() override;

 private:
  enum class Order : std::uint8_t { none, assign, lost };
  struct Channel {
    Order order = Order::none;
    bool open = false, paused = false;
    PartitionHandle handle;
    std::uint32_t generation = 0;
    std::int64_t position = 0;
    rabbit::DeliveryTags tags;
  };
  struct Request {
    int partition;
    std::uint32_t generation;
    rabbit::DeliveryTags::Ack ack;
    bool hand_back;
  };

  Channel& channel(int partition) { return channels_[static_cast<std::size_t>(partition)]; }
  const Channel& channel(int partition) const { return channels_[static_cast<std::size_t>(partition)]; }
  int count() const { return history_.scenario.partitions; }
  void obey_orders();
  void open(int partition);
  void lost(int partition);
  void deliver(int partition, std::size_t& room);
  void send_acks(int partition);
  void hand_back(int partition);
  void send(Request request);
  void handle(const Request& request);

  History& history_;
  Broker& broker_;
  int node_;
  SourceEvents* events_ = nullptr;
  std::size_t prefetch_ = 0;
  std::array<Channel, partition_count> channels_;
  std::vector<Request> requests_;  // on the wire, in order
};

}  // namespace idem::sim
