// A whole service on a real RabbitMQ, while things happen to it.
#include "on_rabbit.h"

namespace idem::test {
namespace {

class RabbitService : public OnRabbit {
 protected:
  void SetUp() override {
    OnRabbit::SetUp();
    if (!IsSkipped()) make_queue();
  }
};

TEST_F(RabbitService, a_message_without_an_id_is_parked_and_acknowledged) {
  send("m", 2);
  client().publish(queue, {{.payload = "who am I"}, {.payload = "nor I", .headers = {{"id", "elsewhere"}}}});
  const Life life = catch_up();
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(life.counters.parked, 2u);
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(client().ready(queue), 0);
  auto store = open_store(file);
  const auto parked = store->ledger({"test"})->parked();
  ASSERT_EQ(parked.size(), 2u);
  EXPECT_EQ(parked[0].reason, ParkReason::no_id);
  EXPECT_EQ(parked[0].payload, "who am I");
}

TEST_F(RabbitService, position_is_no_identity_here) {
  auto store = open_store(file);
  RabbitSource source(reading());
  Recorder handler;
  RuntimeOptions options = quick();
  options.identity = id_from_position();
  Runtime runtime(options);
  try {
    runtime.add(source, *store, handler);
    FAIL() << "taken";
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("no stable positions"), std::string::npos) << e.what();
  }
}

TEST_F(RabbitService, what_was_running_and_what_never_ran_goes_to_the_next_one) {
  send("m", 200);
  Gate gate;
  std::atomic<int> entered{0};
  {
    auto store = open_store(file);
    RabbitSource source(reading());
    Recorder handler([&](const Message&, Transaction&) -> std::optional<Outcome> {
      if (++entered > 5) gate.pass();
      return std::nullopt;
    });
    RuntimeOptions options = known_by_id();
    options.drain_timeout = 30s;
    Runtime runtime(options);
    runtime.add(source, *store, handler);
    Background running(runtime);
    ASSERT_TRUE(eventually([&] { return entered > 5; }));
    runtime.stop();
    std::this_thread::sleep_for(300ms);  // until it hands out no more
    gate.open();
    const Exit exit = running.exit();
    EXPECT_TRUE(exit.ok()) << exit.detail;
  }
  const auto done = effects().size();
  EXPECT_LT(done, 200u) << "nothing was left over, so this test has tested nothing";
  EXPECT_EQ(client().ready(queue), static_cast<int>(200 - done)) << "what is done was acknowledged, the rest handed back";
  const Life next = catch_up();
  EXPECT_EQ(next.counters.duplicates, 0u);
  EXPECT_EQ(balance(), balanced);
}

TEST_F(RabbitService, a_second_process_with_a_store_of_its_own_is_refused) {
  send("m", 1);
  auto store = open_store(file), other_store = open_store(scratch / "other.db");
  RabbitSource source(reading());
  RabbitOptions impatient = reading();
  impatient.wait_for_queue = 200ms;
  RabbitSource other(impatient);
  Recorder handler, other_handler;
  Runtime runtime(known_by_id()), second(known_by_id());
  runtime.add(source, *store, handler);
  second.add(other, *other_store, other_handler);
  Background running(runtime);
  ASSERT_TRUE(eventually([&] { return runtime.counters().done == 1; }));
  const Exit exit = second.run();
  EXPECT_EQ(exit.reason, ExitReason::source_failed);
  EXPECT_NE(exit.detail.find("read by another process"), std::string::npos) << exit.detail;
  EXPECT_TRUE(running.stop().ok());
}

/// A store that several processes share: here, several runtimes of this one.
class SharedStore final : public TransactionalStore {
 public:
  explicit SharedStore(TransactionalStore& store) : store_(store) {}
  StoreTraits traits() const override {
    StoreTraits traits = store_.traits();
    traits.shared = true;
    return traits;
  }
  std::shared_ptr<Ledger> ledger(const LedgerOptions& options) override { return store_.ledger(options); }

 private:
  TransactionalStore& store_;
};

TEST_F(RabbitService, several_compete_for_a_queue_if_they_share_a_store) {
  auto store = open_store(file);
  SharedStore shared(*store);
  RabbitSource source(reading()), other_source(reading());
  // Neither goes on before the other has a message too.
  std::atomic<int> waiting{0};
  Gate both;
  const auto meet = [&](const Message&, Transaction&) -> std::optional<Outcome> {
    ++waiting;
    both.pass();
    return std::nullopt;
  };
  Recorder handler(meet), other_handler(meet);
  RuntimeOptions options = known_by_id();
  options.workers = 1;
  options.budget.messages = 20;
  Runtime runtime(options), other(options);
  runtime.add(source, shared, handler);
  other.add(other_source, shared, other_handler);
  Background running(runtime), competing(other);
  send("m", 500);
  const auto originals = sent;
  send("m", 50);  // the same ids again, to whoever gets them
  sent = originals;
  ASSERT_TRUE(eventually([&] { return waiting == 2; }));
  both.open();
  const auto finished = [](const Counters& c) { return c.done + c.duplicates; };
  EXPECT_TRUE(eventually([&] { return finished(runtime.counters()) + finished(other.counters()) >= 550; }));
  EXPECT_TRUE(running.stop().ok());
  EXPECT_TRUE(competing.stop().ok());
  EXPECT_GT(runtime.counters().done, 0u);
  EXPECT_GT(other.counters().done, 0u);
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(client().ready(queue), 0);
}

TEST_F(RabbitService, a_slow_handler_past_the_consumer_timeout_has_one_effect) {
  send("slow", 1);
  send("quick", 20);
  RabbitOptions reads = reading();
  reads.consumer_timeout = 500ms;
  std::atomic<int> slow_calls{0};
  const Life life = catch_up(reads, known_by_id(), [&](const Message& message, Transaction&) -> std::optional<Outcome> {
    if (message.id != "slow0" || ++slow_calls > 1) return std::nullopt;
    std::this_thread::sleep_for(1'500ms);
    return std::nullopt;
  });
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(slow_calls, 1);
  EXPECT_GE(life.counters.duplicates, 1u) << "its copies";
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(client().ready(queue), 0);
}

TEST_F(RabbitService, a_retry_stays_in_the_process) {
  send("m", 10);
  std::atomic<int> calls{0};
  const Life life = catch_up(reading(), known_by_id(), [&](const Message& message, Transaction&) -> std::optional<Outcome> {
    EXPECT_FALSE(message.header("redelivered"));
    if (++calls % 3 != 0) return retry("not yet");
    return std::nullopt;
  });
  EXPECT_TRUE(life.exit.ok());
  EXPECT_EQ(life.counters.duplicates, 0u);
  EXPECT_EQ(balance(), balanced);
}

TEST_F(RabbitService, messages_larger_than_the_budget_are_handled_one_at_a_time) {
  std::vector<RabbitMessage> large;
  for (int i = 0; i < 12; ++i) {
    sent.push_back("large" + std::to_string(i));
    large.push_back({.payload = std::string(3 << 20, 'x'), .id = sent.back()});
  }
  client().publish(queue, large);
  RuntimeOptions options = known_by_id();
  options.budget.bytes = 2 << 20;
  const Life life = catch_up(reading(), options);
  EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
  EXPECT_EQ(balance(), balanced);
}

/// A server of its own that takes what RabbitMQ 4 refuses by default.
class RabbitServiceOfLargeMessages : public RabbitService {
 protected:
  RabbitBroker& broker() override {
    if (!own_) own_ = std::make_unique<RabbitBroker>(RabbitBroker::Options{.settings = {{"max_message_size", "134217728"}}});
    return *own_;
  }

 private:
  std::unique_ptr<RabbitBroker> own_;
};

// In a budget that is smaller, and in one that is larger.
TEST_F(RabbitServiceOfLargeMessages, sixty_four_megabytes_come_whole_between_small_ones) {
  std::string large;
  for (std::size_t i = 0; large.size() < std::size_t{64} << 20; ++i) large += std::to_string(i) + ',';
  for (const std::size_t megabytes : {16, 256}) {
    const std::string budget = "budget of " + std::to_string(megabytes) + " MiB, ";
    send(budget + "before ", 5);
    sent.push_back(budget + "large");
    client().publish(queue, {{.payload = large, .id = sent.back()}});
    send(budget + "after ", 5);
    RuntimeOptions options = known_by_id();
    options.budget.bytes = megabytes << 20;
    const Life life = catch_up(reading(), options, [&](const Message& message, Transaction&) -> std::optional<Outcome> {
      if (message.id.ends_with("large") && message.text() != large) ADD_FAILURE() << "other bytes came";
      return std::nullopt;
    });
    EXPECT_TRUE(life.exit.ok()) << life.exit.detail;
    EXPECT_EQ(life.counters.done, 11u);
    EXPECT_EQ(balance(), balanced);
    EXPECT_EQ(client().ready(queue), 0);
  }
}

class RabbitServiceKilled : public RabbitService {
 protected:
  RabbitBroker& broker() override {
    if (!own_) own_ = std::make_unique<RabbitBroker>();
    return *own_;
  }

 private:
  std::unique_ptr<RabbitBroker> own_;
};

TEST_F(RabbitServiceKilled, the_server_is_killed_twice_and_nothing_is_lost_or_doubled) {
  auto store = open_store(file);
  RabbitOptions reads = reading();
  reads.heartbeat = 5s;
  RabbitSource source(reads);
  Recorder handler([](const Message&, Transaction&) -> std::optional<Outcome> {
    std::this_thread::sleep_for(2ms);
    return std::nullopt;
  });
  Runtime runtime(known_by_id());
  runtime.add(source, *store, handler);
  send("a", 400);
  broker().sync();
  Background running(runtime);
  for (std::size_t so_far : {100u, 500u}) {
    ASSERT_TRUE(eventually([&] { return effects().size() >= so_far; }));
    forget_client();
    broker().kill();
    broker().restart();
    send("b" + std::to_string(so_far) + "-", 300);
  }
  ASSERT_TRUE(eventually([&] { return runtime.counters().in_flight == 0 && effects().size() >= sent.size(); }));
  ASSERT_TRUE(eventually([&] { return client().ready(queue) == 0; }));
  const Exit exit = running.stop();
  EXPECT_TRUE(exit.ok()) << exit.detail;
  EXPECT_EQ(balance(), balanced);
  EXPECT_EQ(client().ready(queue), 0);
}

}  // namespace
}  // namespace idem::test
