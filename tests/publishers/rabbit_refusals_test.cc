// What a server will not have, and what becomes of its neighbours.
#include "rabbit_publishing.h"

namespace idem::test {
namespace {

struct RabbitRefusals : testing::Test, RabbitPublishing {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    IDEM_NEEDS("pika", no_pika());
  }
  void TearDown() override {
    if (!IsSkipped()) RabbitClient(uri()).delete_queue(queue);
  }
};

void expect(const PublishResult& result, Known known, std::initializer_list<const char*> words) {
  EXPECT_EQ(result.known, known) << to_string(result.known) << ": " << result.why;
  for (const char* word : words)
    EXPECT_NE(result.why.find(word), std::string::npos) << word << " is not in: " << result.why;
}

TEST_F(RabbitRefusals, what_no_queue_takes_is_returned_though_it_is_acked) {
  for (Mode mode : {Mode::confirm, Mode::transaction}) {
    RabbitPublisher publisher(options(mode));
    RabbitOutgoing lost = message(std::string(200'000, 'x'));
    lost.exchange = "amq.direct";
    lost.routing_key = "nowhere";
    expect(publisher.publish(lost), Known::returned, {"amq.direct", "nowhere", "NO_ROUTE"});
    EXPECT_TRUE(publisher.publish(message("fine")).stored());
  }
  EXPECT_EQ(found().size(), 2u);
}

TEST_F(RabbitRefusals, an_unknown_exchange) {
  RabbitPublisher publisher(options());
  RabbitOutgoing bad = message("x");
  bad.exchange = "no-such-exchange";
  expect(publisher.publish(bad), Known::refused,
         {"no-such-exchange", "RabbitPublisherOptions::topology", "RabbitOutgoing::exchange"});
  EXPECT_TRUE(publisher.publish(message("fine")).stored());
}

// The server closes the channel over it and does not say over which message.
TEST_F(RabbitRefusals, in_a_full_window_only_the_bad_ones_are_refused) {
  RabbitPublisher publisher(options());
  std::vector<std::future<PublishResult>> results;
  const auto is_bad = [](int i) { return i == 200 || i == 201 || i == 390; };
  for (int i = 0; i < 400; ++i) {
    RabbitOutgoing m = message("x", std::to_string(i));
    if (is_bad(i)) m.exchange = "no-such-exchange";
    results.push_back(publisher.publish_async(m));
  }
  for (int i = 0; i < 400; ++i) EXPECT_EQ(results[i].get().known, is_bad(i) ? Known::refused : Known::stored) << i;
  const auto ids = count_ids(found());
  EXPECT_EQ(ids.size(), 397u);
  for (int i = 0; i < 400; ++i) EXPECT_EQ(ids.contains(std::to_string(i)), !is_bad(i)) << i;
}

TEST_F(RabbitRefusals, a_transaction_with_one_bad_message_stores_none) {
  RabbitPublisher publisher(options(Mode::transaction));
  std::vector<RabbitOutgoing> batch;
  for (int i = 0; i < 20; ++i) batch.push_back(message("x"));
  batch[10].exchange = "no-such-exchange";
  for (const auto& result : publisher.publish_all(batch)) expect(result, Known::refused, {"no-such-exchange"});
  batch[10].exchange.clear();
  batch[10].id = std::string(256, 'i');
  for (const auto& result : publisher.publish_all(batch))
    expect(result, Known::refused, {"nothing of the transaction", "256"});
  batch[10].id = batch[11].id = "twice";
  for (const auto& result : publisher.publish_all(batch)) expect(result, Known::refused, {"twice"});
  batch[10].id = "once";
  for (const auto& result : publisher.publish_all(batch)) EXPECT_TRUE(result.stored()) << result.why;
  EXPECT_EQ(found().size(), 20u);
  batch.resize(2'001);
  for (const auto& result : publisher.publish_all(batch)) ASSERT_EQ(result.known, Known::refused);
}

// So large that the server refuses it while the rest of it is being written.
TEST_F(RabbitRefusals, nothing_follows_the_bad_message_of_a_transaction) {
  RabbitPublisher publisher(options(Mode::transaction));
  std::vector<RabbitOutgoing> batch(300, message(std::string(60'000, 'x')));
  batch[0].exchange = "no-such-exchange";
  for (const auto& result : publisher.publish_all(batch)) expect(result, Known::refused, {"no-such-exchange"});
  EXPECT_TRUE(publisher.publish(message("after", "after")).stored());
  EXPECT_EQ(count_ids(found()), (std::map<std::string, int>{{"after", 1}}));
}

TEST_F(RabbitRefusals, ids_of_255_and_256_bytes) {
  RabbitPublisher publisher(options());
  EXPECT_TRUE(publisher.publish(message("x", std::string(255, 'i'))).stored());
  expect(publisher.publish(message("x", std::string(256, 'i'))), Known::refused, {"RabbitOutgoing::id", "256", "255"});
  const auto there = found();
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].id, std::string(255, 'i'));
}

TEST_F(RabbitRefusals, sixty_four_megabytes) {
  RabbitPublisher publisher(options());
  const PublishResult result = publisher.publish(message(varied(64 << 20)));
  if (result.stored()) {
    const auto there = found();
    ASSERT_EQ(there.size(), 1u);
    EXPECT_EQ(there[0].payload, abridged(varied(64 << 20)));
  } else {
    expect(result, Known::refused, {"size", "larger"});  // RabbitMQ 4 takes 16 MiB unless it is told otherwise
  }
  EXPECT_TRUE(publisher.publish(message("fine")).stored());
}

TEST_F(RabbitRefusals, a_full_queue_refuses_with_a_nack) {
  for (Mode mode : {Mode::confirm, Mode::transaction}) {
    RabbitPublisherOptions o = options(mode);
    o.nack_pause = 0ms;
    const std::string small = queue + "-small";
    o.topology.queues.push_back({.name = small, .max_length = 3});
    RabbitPublisher publisher(o);
    std::vector<std::future<PublishResult>> results;
    for (int i = 0; i < 10; ++i)
      results.push_back(publisher.publish_async({.routing_key = small, .payload = "x", .id = std::to_string(i)}));
    std::map<std::string, int> ids;
    for (auto& result : results) {
      const PublishResult r = result.get();
      if (r.stored())
        ++ids[r.id];
      else
        expect(r, Known::refused, {mode == Mode::confirm ? "reject-publish" : "partial"});
    }
    EXPECT_EQ(ids.size(), 3u);
    EXPECT_EQ(count_ids(read_queue(uri(), small)), ids);
    RabbitClient(uri()).delete_queue(small);
  }
}

TEST_F(RabbitRefusals, what_a_full_queue_will_not_have_is_sent_again_until_there_is_room) {
  const std::string small = queue + "-small";
  RabbitPublisherOptions o = options();
  o.topology.queues.push_back({.name = small, .max_length = 1});
  o.nack_pause = 10ms;
  RabbitPublisher publisher(o);
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 5; ++i)
    results.push_back(publisher.publish_async({.routing_key = small, .payload = "x", .id = std::to_string(i)}));
  std::map<std::string, int> ids, once;
  while (ids.size() < results.size())
    for (const auto& [id, times] : count_ids(read_queue(uri(), small))) ids[id] += times;
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_TRUE(results[i].get().stored());
    once[std::to_string(i)] = 1;
  }
  EXPECT_EQ(ids, once);
  RabbitClient(uri()).delete_queue(small);
}

TEST_F(RabbitRefusals, a_queue_that_stays_full_is_the_reason_when_the_time_is_over) {
  const std::string small = queue + "-small";
  RabbitPublisherOptions o = options();
  o.topology.queues.push_back({.name = small, .max_length = 1});
  o.nack_pause = 60s;  // so that it is not on its way when its time is over: that would be `unknown`
  o.give_up = 3s;
  RabbitPublisher publisher(o);
  ASSERT_TRUE(publisher.publish({.routing_key = small, .payload = "x"}).stored());
  expect(publisher.publish({.routing_key = small, .payload = "x"}), Known::refused, {"reject-publish", "give_up"});
  EXPECT_TRUE(publisher.publish(message("to another queue")).stored());
  RabbitClient(uri()).delete_queue(small);
}

TEST_F(RabbitRefusals, a_topology_that_differs_and_a_wrong_password_are_said_at_the_start) {
  const auto refusal = [](const RabbitPublisherOptions& o) -> std::string {
    try {
      RabbitPublisher publisher(o);
      return "";
    } catch (const std::runtime_error& e) {
      return e.what();
    }
  };
  RabbitClient(uri()).declare_queue(queue);
  RabbitPublisherOptions o = options();
  o.topology.queues[0].message_ttl = 5s;
  const std::string what = refusal(o);
  EXPECT_NE(what.find("x-message-ttl"), std::string::npos) << what;
  EXPECT_NE(what.find("RabbitPublisherOptions::topology"), std::string::npos) << what;
  o = options();
  o.uri = broker().uri("guest", "s3cret");
  EXPECT_NE(refusal(o).find("RabbitPublisherOptions::uri"), std::string::npos);
  EXPECT_EQ(refusal(o).find("s3cret"), std::string::npos);
}

struct RabbitSmallMessages : testing::Test, OwnRabbit {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    IDEM_NEEDS("pika", no_pika());
    settings.settings = {{"max_message_size", "1048576"}};
  }
};

// The channel is closed in the middle of a body.
TEST_F(RabbitSmallMessages, too_large_for_the_server_is_refused_and_its_neighbours_are_stored) {
  RabbitPublisher publisher(options());
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 50; ++i)
    results.push_back(
        publisher.publish_async(message(std::string(i % 10 == 5 ? 3 << 20 : 1'000, 'x'), std::to_string(i))));
  for (int i = 0; i < 50; ++i) {
    const PublishResult result = results[i].get();
    if (i % 10 == 5)
      expect(result, Known::refused, {"size", "larger"});
    else
      EXPECT_TRUE(result.stored()) << i << ": " << result.why;
  }
  EXPECT_EQ(count_ids(found()).size(), 45u);
}

}  // namespace
}  // namespace idem::test
