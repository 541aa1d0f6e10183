// A DeliveryCore with one topic, driven by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/delivery_core.h"

namespace idem::core {

class CoreTest : public ::testing::Test {
 protected:
  CoreTest() {
    options.workers = 4;
    options.retry = {5, std::chrono::milliseconds(100), std::chrono::milliseconds(1'000), /*jitter=*/0};
  }

  /// Call after changing `options`.
  DeliveryCore& core() {
    if (!core_) core_ = std::make_unique<DeliveryCore>(options);
    return *core_;
  }

  Partition& assign(int partition, std::int64_t start = 0) {
    return core().assign({"topic", partition}, static_cast<std::uint32_t>(partition), Progress(start), start,
                         std::nullopt, std::nullopt);
  }

  /// Receives a message; its id is its text, "" for none. What enqueue answered is in `received`.
  Delivery* receive(Partition& partition, std::int64_t offset, const std::string& id = "",
                    std::optional<std::string_view> key = std::nullopt,
                    std::string_view payload = "payload") {
    Message message;
    message.partition = partition.ref.partition;
    message.offset = offset;
    message.key = key;
    message.payload = payload;
    Delivery* delivery = core().receive(partition.handle(), message);
    if (!delivery) return nullptr;
    if (!id.empty())
      delivery->record.id = IdKey{std::hash<std::string>{}(id), std::hash<std::string>{}(id + "'")};
    delivery->record.print = static_cast<std::uint64_t>(offset) + 1'000;
    received = core().enqueue(delivery);
    return delivery;
  }

  /// The offsets of everything that may run now, batch by batch.
  std::vector<std::vector<std::int64_t>> dispatch() {
    std::vector<std::vector<std::int64_t>> all;
    while (Batch* batch = core().next_batch()) {
      all.emplace_back();
      for (Delivery* d : batch->items) {
        all.back().push_back(d->message.offset);
        running.push_back(d);
      }
      batches.push_back(batch);
    }
    return all;
  }
  std::vector<std::int64_t> dispatched_offsets() {
    std::vector<std::int64_t> offsets;
    for (const auto& batch : dispatch()) offsets.insert(offsets.end(), batch.begin(), batch.end());
    return offsets;
  }

  void complete(Delivery* delivery, Completion::Kind kind = Completion::Kind::durable,
                Verdict verdict = Verdict::done) {
    delivery->verdict = verdict;
    std::erase(running, delivery);
    core().complete({delivery, kind}, now);
  }
  void complete_offset(std::int64_t offset, Completion::Kind kind = Completion::Kind::durable) {
    auto it = std::find_if(running.begin(), running.end(),
                           [&](Delivery* d) { return d->message.offset == offset; });
    ASSERT_NE(it, running.end()) << offset << " is not running";
    complete(*it, kind);
  }
  void complete_all() {
    while (!running.empty()) complete(running.front());
    return_batches();
  }
  void return_batches(std::chrono::nanoseconds each = std::chrono::microseconds(1)) {
    for (Batch* batch : batches) core().batch_done(batch, each);
    batches.clear();
  }

  void wait(std::chrono::milliseconds time) {
    now += time;
    core().tick(now);
  }

  void expect_balanced_books() {
    const Counters c = core().counters();
    EXPECT_EQ(c.received + c.returned, c.done + c.duplicates + c.parked + c.delayed + c.in_flight + c.abandoned);
  }

  using Offsets = std::vector<std::int64_t>;

  CoreOptions options;
  Ticks now{std::chrono::hours(1)};
  DeliveryCore::Received received{};
  std::vector<Delivery*> running;
  std::vector<Batch*> batches;

 private:
  std::unique_ptr<DeliveryCore> core_;
};

}  // namespace idem::core
