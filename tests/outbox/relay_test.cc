// The relay between a table in memory and a destination that answers as a test wants it to.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include <idem/memory_store.h>
#include <idem/outbox.h>
#include <idem/store.h>

namespace idem {
namespace {

using namespace std::chrono_literals;
using Known = PublishResult::Known;

/// Rows by number; committed when they are added.
class Table final : public OutboxTable {
 public:
  void open(const std::string& destination, std::function<void()> on_commit) override {
    std::lock_guard lock(mutex);
    if (wake[destination]) throw std::logic_error("open");
    wake[destination] = std::move(on_commit);
  }
  void close(const std::string& destination) noexcept override {
    std::lock_guard lock(mutex);
    wake[destination] = nullptr;
  }
  bool is_open(const std::string& destination) const override { return wake.contains(destination); }

  void commit(const std::string& destination, OutgoingMessage message) {
    std::function<void()> told;
    {
      std::lock_guard lock(mutex);
      message.id = std::to_string(++last);
      rows[last] = {destination, std::move(message)};
      told = wake[destination];
    }
    if (told) told();
  }

  std::vector<Row> read(const std::string& destination, std::int64_t after, std::size_t messages,
                        std::size_t bytes) override {
    std::lock_guard lock(mutex);
    if (failures > 0) throw StoreError("busy", --failures >= 0);
    largest_read = std::max(largest_read, messages);
    std::vector<Row> found;
    std::size_t size = 0;
    for (auto at = rows.upper_bound(after); at != rows.end() && found.size() < messages; ++at) {
      if (at->second.first != destination) continue;
      size += at->second.second.payload->size();
      if (size > bytes && !found.empty()) break;
      found.push_back({at->first, at->second.second});
    }
    return found;
  }
  void remove(std::span<const std::int64_t> numbers) override {
    std::lock_guard lock(mutex);
    if (failures > 0) throw StoreError("busy", --failures >= 0);
    for (const std::int64_t number : numbers) rows.erase(number);
  }
  void park(std::int64_t number, const std::string& why) override {
    std::lock_guard lock(mutex);
    parked_rows.push_back({number, rows.at(number).first, rows.at(number).second, why, {}});
    rows.erase(number);
  }
  std::vector<ParkedOutgoing> parked(std::int64_t, std::size_t) override {
    std::lock_guard lock(mutex);
    return parked_rows;
  }
  std::map<std::string, std::size_t> waiting() override {
    std::lock_guard lock(mutex);
    std::map<std::string, std::size_t> found;
    for (const auto& [number, row] : rows) ++found[row.first];
    return found;
  }

  std::mutex mutex;
  std::map<std::string, std::function<void()>> wake;
  std::map<std::int64_t, std::pair<std::string, OutgoingMessage>> rows;
  std::vector<ParkedOutgoing> parked_rows;
  std::int64_t last = 0;
  int failures = 0;
  std::size_t largest_read = 0;
};

class Store final : public TransactionalStore {
 public:
  StoreTraits traits() const override { return {.id = "test", .name = "test"}; }
  std::shared_ptr<Ledger> ledger(const LedgerOptions&) override { return nullptr; }
  OutboxTable* outbox() override { return &table; }
  Table table;
};

/// Keeps what it is sent until the test answers it, or answers by a rule.
class Broker {
 public:
  using Rule = std::function<PublishResult(const OutgoingMessage&)>;

  std::unique_ptr<Destination> destination() {
    struct Here final : Destination {
      explicit Here(Broker& b) : broker(b) {}
      std::string description() const override { return "test broker"; }
      void send(const OutgoingMessage& message, PublishCallback done) override { broker.take(message, std::move(done)); }
      void send_again() override { ++broker.resumed; }
      Broker& broker;
    };
    return std::make_unique<Here>(*this);
  }
  void answer_by(Rule rule) {
    std::lock_guard lock(mutex_);
    rule_ = std::move(rule);
  }

  /// The ids that were sent, in order, when there are so many.
  std::vector<std::string> sent(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 60s, [&] { return ids_.size() >= count; });
    return ids_;
  }
  void answer(const std::string& id, PublishResult result) {
    PublishCallback done;
    {
      std::lock_guard lock(mutex_);
      done = std::move(waiting_.at(id));
      waiting_.erase(id);
    }
    done(result);
  }
  std::atomic<int> resumed{0};

 private:
  void take(const OutgoingMessage& message, PublishCallback done) {
    std::optional<PublishResult> now;
    {
      std::lock_guard lock(mutex_);
      ids_.push_back(message.id);
      if (rule_) now = rule_(message);
      if (!now) waiting_[message.id] = std::move(done);
      changed_.notify_all();
    }
    if (now) done(*now);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> ids_;
  std::map<std::string, PublishCallback> waiting_;
  Rule rule_;
};

const PublishResult stored{Known::stored, "", "", false};
const PublishResult not_now{Known::refused, "", "not now", false};
const PublishResult unknown{Known::unknown, "", "no answer", false};
const PublishResult never{Known::refused, "", "too large", true};
const PublishResult unroutable{Known::returned, "", "no queue", true};

using Ids = std::vector<std::string>;

struct RelayTest : testing::Test {
  Store store;
  Broker broker;
  RelayOptions options{.first_pause = 1ms, .longest_pause = 2ms, .stop_timeout = 50ms};
  std::size_t waiting(const std::string& name = "to") { return store.table.waiting()[name]; }
};

TEST_F(RelayTest, rows_are_sent_in_order_and_deleted_when_confirmed) {
  store.table.commit("to", {.payload = "left from an earlier process"});
  Relay relay(store, options);
  relay.add("to", broker.destination());
  store.table.commit("to", {});
  EXPECT_EQ(broker.sent(2), (Ids{"1", "2"}));
  EXPECT_FALSE(relay.flush(20ms));
  EXPECT_EQ(waiting(), 2u) << "nothing is deleted before it is confirmed";
  broker.answer("2", stored);
  broker.answer("1", stored);
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(waiting(), 0u);
  EXPECT_EQ(relay.counters().sent, 2u);
}

TEST_F(RelayTest, what_is_not_stored_is_sent_again_in_order_after_everything_has_answered) {
  Relay relay(store, options);
  relay.add("to", broker.destination());
  for (int i = 0; i < 3; ++i) store.table.commit("to", {});
  ASSERT_EQ(broker.sent(3).size(), 3u);
  broker.answer("1", not_now);
  store.table.commit("to", {});
  broker.answer("3", unknown);
  EXPECT_EQ(broker.sent(3).size(), 3u) << "2 has no answer yet";
  broker.answer("2", stored);
  EXPECT_EQ(broker.sent(6), (Ids{"1", "2", "3", "1", "3", "4"}));
  EXPECT_EQ(broker.resumed, 1);
  for (const char* id : {"1", "3", "4"}) broker.answer(id, stored);
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(relay.counters().sent_again, 2u);
}

TEST_F(RelayTest, a_row_that_will_never_be_taken_is_parked_and_holds_nobody_up) {
  broker.answer_by([](const OutgoingMessage& m) { return m.id == "2" ? never : m.id == "3" ? unroutable : stored; });
  Relay relay(store, options);
  relay.add("to", broker.destination());
  for (int i = 0; i < 4; ++i) store.table.commit("to", {});
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(waiting(), 0u);
  const auto parked = store.table.parked(0, 10);
  ASSERT_EQ(parked.size(), 2u);
  EXPECT_EQ(parked[0].why == "too large" || parked[1].why == "too large", true);
  EXPECT_EQ(relay.counters().parked, 2u);
  EXPECT_EQ(relay.counters().sent, 2u);
}

TEST_F(RelayTest, a_destination_that_stands_still_does_not_hold_up_another_one) {
  Broker other;
  other.answer_by([](const OutgoingMessage&) { return stored; });
  broker.answer_by([](const OutgoingMessage&) { return not_now; });
  Relay relay(store, options);
  relay.add("to", broker.destination());
  relay.add("other", other.destination());
  for (int i = 0; i < 5; ++i) store.table.commit("to", {}), store.table.commit("other", {});
  EXPECT_EQ(other.sent(5).size(), 5u);
  while (waiting("other") > 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(waiting("to"), 5u);
}

TEST_F(RelayTest, what_is_in_memory_is_bounded) {
  options.in_flight_messages = 10;
  for (int i = 0; i < 100; ++i) store.table.commit("to", {});
  Relay relay(store, options);
  relay.add("to", broker.destination());
  ASSERT_EQ(broker.sent(10).size(), 10u);
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(broker.sent(10).size(), 10u) << "no more than ten without an answer";
  broker.answer_by([](const OutgoingMessage&) { return stored; });
  for (int i = 1; i <= 10; ++i) broker.answer(std::to_string(i), stored);
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(broker.sent(100).size(), 100u);
  EXPECT_LE(store.table.largest_read, 10u);
}

TEST_F(RelayTest, bytes_are_bounded_too_and_a_large_row_goes_alone) {
  options.in_flight_bytes = 10'000;
  for (int i = 0; i < 3; ++i) store.table.commit("to", {.payload = std::string(20'000, 'x')});
  Relay relay(store, options);
  relay.add("to", broker.destination());
  EXPECT_EQ(broker.sent(1), (Ids{"1"}));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(broker.sent(1).size(), 1u);
  broker.answer("1", stored);
  EXPECT_EQ(broker.sent(2), (Ids{"1", "2"}));
}

TEST_F(RelayTest, a_busy_store_is_asked_again) {
  broker.answer_by([](const OutgoingMessage&) { return stored; });
  Relay relay(store, options);
  {
    std::lock_guard lock(store.table.mutex);
    store.table.failures = 3;
  }
  relay.add("to", broker.destination());
  store.table.commit("to", {});
  EXPECT_TRUE(relay.flush(60s));
  EXPECT_EQ(broker.sent(1).size(), 1u) << "sent once, for it was the deleting that failed";
}

TEST_F(RelayTest, an_answer_after_the_relay_has_gone_harms_nobody) {
  {
    Relay relay(store, options);
    relay.add("to", broker.destination());
    store.table.commit("to", {});
    broker.sent(1);
  }
  broker.answer("1", stored);
  EXPECT_EQ(waiting(), 1u) << "it will be sent again";
}

TEST_F(RelayTest, stopping_waits_for_what_is_in_flight) {
  options.stop_timeout = 60s;
  auto relay = std::make_unique<Relay>(store, options);
  relay->add("to", broker.destination());
  store.table.commit("to", {});
  broker.sent(1);
  auto gone = std::async(std::launch::async, [&] { relay.reset(); });
  EXPECT_EQ(gone.wait_for(20ms), std::future_status::timeout);
  broker.answer("1", stored);
  gone.get();
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(RelayTest, what_cannot_be_is_refused_by_name) {
  Relay relay(store, options);
  relay.add("to", broker.destination());
  EXPECT_THROW(relay.add("to", broker.destination()), std::logic_error);
  EXPECT_THROW(relay.add("", broker.destination()), std::invalid_argument);
  EXPECT_THROW(relay.add("x", nullptr), std::invalid_argument);
  Relay second(store, options);
  EXPECT_THROW(second.add("to", broker.destination()), std::logic_error) << "one relay sends for a name";
  EXPECT_THROW(Relay(store, {.in_flight_messages = 0}), std::invalid_argument);
  EXPECT_THROW(Relay(store, {.first_pause = 2s, .longest_pause = 1s}), std::invalid_argument);
  MemoryStore memory;
  EXPECT_THROW(Relay(memory, options), std::invalid_argument);
}

}  // namespace
}  // namespace idem
