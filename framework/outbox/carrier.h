// Carries the rows of one destination from the store to its broker, on a thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <idem/outbox.h>

#include "outbox/in_flight.h"
#include "outbox/inbox.h"

namespace idem::outbox {

class Carrier {
 public:
  using TimePoint = Inbox::TimePoint;

  /// Opens the destination at the table and begins with what waits there. Throws as OutboxTable::open does.
  Carrier(std::string name, OutboxTable& table, std::unique_ptr<Destination> destination, const RelayOptions& options);
  /// Waits for stop() to take effect.
  ~Carrier();
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  /// Sends nothing more, and ends when everything in flight has an answer, at `deadline` at the latest.
  void stop(TimePoint deadline);
  bool wait_until_idle(TimePoint deadline) { return inbox_->wait_until_idle(deadline); }
  Relay::Counters counters() const;

 private:
  void run();
  void turn(const Inbox::News& news);
  void hear(const Inbox::Answer& answer);
  void settle();
  void read_more();
  void send();
  void send_again();
  bool pausing() const { return in_flight_.has_failed() && in_flight_.quiet(); }
  TimePoint wake_at() const;
  void store_failed(const std::string& why);

  const std::string name_;
  const RelayOptions options_;
  OutboxTable& table_;
  const std::unique_ptr<Destination> destination_;
  const std::shared_ptr<Inbox> inbox_;
  std::atomic<TimePoint> stop_by_{TimePoint::max()};

  // --- the thread's own
  InFlight in_flight_;
  std::int64_t last_read_ = 0;
  bool more_ = false;  ///< there may be rows that were not read
  struct Poison {
    std::int64_t number;
    std::string why;
  };
  std::vector<std::int64_t> to_remove_;
  std::vector<Poison> to_park_;
  std::string last_why_;  ///< of what was not stored
  std::chrono::milliseconds pause_;
  TimePoint next_try_{};
  bool stopping_ = false;

  std::atomic<std::uint64_t> sent_{0}, sent_again_{0}, parked_{0};
  std::atomic<std::size_t> held_{0};
  std::thread thread_;
};

}  // namespace idem::outbox
