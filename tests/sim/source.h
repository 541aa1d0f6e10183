// The Kafka-like side of one node: what its group client would do, with every answer at the mercy of the
// history.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <idem/source.h>

#include "sim/broker.h"
#include "sim/history.h"

namespace idem::sim {

class SimSource : public Source {
 public:
  SimSource(History& history, Broker& broker, int node) : history_(history), broker_(broker), node_(node) {}

  // --- What the group does to it; noticed in the next poll
  // --------------------------------------------------------
  void order_assign(int partition);
  void order_revoke(int partition);
  /// The broker has given the partition away already.
  void order_lost(int partition);
  bool ordered(int partition) const { return readers_[index(partition)].order != Order::none; }
  bool holds(int partition) const { return readers_[index(partition)].held; }

  /// Offset commits on their way to the broker.
  bool requests_pending() const { return !requests_.empty(); }
  void broker_handles_next();

  /// After the last message received of the partition.
  std::int64_t position(int partition) const { return readers_[index(partition)].next; }

  // --- Source
  // -----------------------------------------------------------------------------------------------------
  SourceTraits traits() const override { return {"sim", /*stable_positions=*/true}; }
  void start(SourceEvents& events, const SourceContext&) override { events_ = &events; }
  void poll(std::chrono::milliseconds wait, std::size_t limit) override;
  void wake() override {}
  void set_paused(PartitionHandle handle, bool paused) override;
  void seek(PartitionHandle before, const StartAt& start) override;
  void commit(std::span<const Commit> commits, bool wait) override;
  void stop() override;

 protected:
  enum class Order : std::uint8_t { none, assign, revoke, lost };
  struct Reader {
    Order order = Order::none;
    bool held = false, read = false, paused = false, lost = false;
    PartitionHandle handle;
    std::uint32_t generation = 0;
    std::int64_t next = 0, announced_end = -1;
  };
  struct Request {
    int partition;
    std::uint32_t generation;
    PartitionHandle handle;
    std::int64_t next;
    std::string metadata;
  };

  static std::size_t index(int partition) { return static_cast<std::size_t>(partition); }
  void obey_orders();
  void assign(int partition);
  void give_up(int partition, bool lost);
  /// An assignment begins; its reader is set up.
  virtual void opened(int /*partition*/, Reader&) {}
  /// It ends in order; the runtime has said its last word.
  virtual void closing(int /*partition*/) {}
  virtual void deliver(int partition, std::size_t& room);
  bool deliver_one(int partition, const Sent& sent);
  CommitResult handle(const Request& request);
  Reader* find(PartitionHandle handle, int* partition = nullptr);

  History& history_;
  Broker& broker_;
  int node_;
  SourceEvents* events_ = nullptr;
  std::array<Reader, partition_count> readers_;
  std::vector<Request> requests_;
  std::vector<CommitResult> answers_;
};

}  // namespace idem::sim
