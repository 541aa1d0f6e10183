// The outbox: what a handler sends commits with its effect, and is sent afterwards, however often the process dies.
//
//   idem::KafkaPublisher kafka({.properties = {{"bootstrap.servers", "localhost:9092"}}});
//   idem::Relay relay(store);
//   relay.add("receipts", idem::kafka_topic(kafka, "receipts"));
//   …
//   tx.publish("receipts", {.key = "customer-7", .payload = "…"});  // in the handler
//
// `publish` writes a row in the handler's transaction. The relay reads rows after their commit, sends them in the order
// in which they were committed, and deletes each one when the broker has confirmed it. Between the two a crash sends it
// again, with the same id: a consumer on idem drops the copy.
//
// Order holds per destination and key as far as the publisher keeps it (see there). A row that its broker will never
// take (too large, no queue bound for it) is parked with the reason and holds nobody up; a broker that cannot be
// reached holds up its own destination only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <idem/message.h>
#include <idem/outgoing.h>
#include <idem/publish_result.h>

namespace idem {

class TransactionalStore;

/// Where the rows of one name go. Implement it for what idem has no publisher for.
class Destination {
 public:
  virtual ~Destination() = default;

  /// What it is, for logs: "kafka topic receipts".
  virtual std::string description() const = 0;
  /// Sends it. `done` is called once, from any thread, also before this returns, and also after the Relay has gone.
  /// Anything but `stored` is sent again, unless it is `permanent`. One thread calls it; it may wait for room.
  virtual void send(const OutgoingMessage& message, PublishCallback done) = 0;
  /// Everything sent has had its result, and what was not stored is sent again next, in its order.
  virtual void send_again() {}
};

/// A row that was parked: its broker would never take it.
struct ParkedOutgoing {
  std::int64_t number = 0;
  std::string destination;
  OutgoingMessage message;
  std::string why;
  Timestamp parked_at{};
};

/// The store's side. A store that has one proves itself with tests/conformance/outbox_suite.h: each numbered rule is a
/// test. Thread-safe. Calls throw StoreError; nothing is done then.
class OutboxTable {
 public:
  struct Row {
    std::int64_t number = 0;  ///< grows in the order of commit
    OutgoingMessage message;
  };

  /// X1: Transaction::publish takes the name from here on, and no other one.
  /// `on_commit` is called when rows of it have been committed; it must not block nor call the store.
  /// Throws std::logic_error if it is open already.
  virtual void open(const std::string& destination, std::function<void()> on_commit) = 0;
  /// No more calls of on_commit; publish still takes the name.
  virtual void close(const std::string& destination) noexcept = 0;
  virtual bool is_open(const std::string& destination) const = 0;

  /// The rows of it after `after`, oldest first; at most so many, and no more bytes than that but for the first one.
  /// X2: committed ones only, in the order of their commit, none left out; nothing of what was rolled back.
  virtual std::vector<Row> read(const std::string& destination, std::int64_t after, std::size_t messages,
                                std::size_t bytes) = 0;
  /// X3: deletes them with the next commit: durable soon, not when this returns.
  virtual void remove(std::span<const std::int64_t> numbers) = 0;
  /// X4: durable when it returns: the row is read no more, and is listed.
  virtual void park(std::int64_t number, const std::string& why) = 0;
  virtual std::vector<ParkedOutgoing> parked(std::int64_t after, std::size_t limit) = 0;
  /// X5: rows that wait, by destination, also of names that nobody has opened.
  virtual std::map<std::string, std::size_t> waiting() = 0;

 protected:
  ~OutboxTable() = default;
};

struct RelayOptions {
  /// Of each destination: rows read and not confirmed, at most. They are in memory. Some times the publisher's own window,
  /// or it runs dry now and then.
  std::size_t in_flight_messages = 8'000, in_flight_bytes = 16 << 20;
  /// How long to wait after something was not stored before it is sent again; doubled each time up to the longest.
  std::chrono::milliseconds first_pause{100}, longest_pause{10'000};
  /// How long the destructor waits for what is in flight. What is unconfirmed by then is sent again at the next start.
  std::chrono::milliseconds stop_timeout{5'000};
};

/// One thread for each destination. Every method may be called from any thread.
class Relay {
 public:
  /// `store` is borrowed. Throws std::invalid_argument if it has no outbox, or an option is wrong.
  explicit Relay(TransactionalStore& store, RelayOptions options = {});
  /// Stops. Rows that wait stay in the store. Destroy it before the publishers that its destinations use.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// Handlers may publish to `name` from here on, and what waits for it is sent. Do it before the runtime runs: a name
  /// that nobody has added is an error in the handler. Throws std::logic_error if the store's outbox has it already:
  /// one relay sends for a name.
  void add(const std::string& name, std::unique_ptr<Destination> destination);

  /// Waits until all that was committed before has been sent or parked; false: not in time.
  [[nodiscard]] bool flush(std::chrono::milliseconds timeout);

  struct Counters {
    std::uint64_t sent = 0;       ///< confirmed by the broker
    std::uint64_t sent_again = 0; ///< times that a row was sent once more
    std::uint64_t parked = 0;
    std::size_t in_flight = 0;
  };
  Counters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace idem
