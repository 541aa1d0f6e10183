// The good way: what is stored is there, as it was given.
#include <atomic>

#include "rabbit_publishing.h"

namespace idem::test {
namespace {

struct RabbitPublish : testing::TestWithParam<Mode>, RabbitPublishing {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    IDEM_NEEDS("pika", no_pika());
  }
  void TearDown() override {
    if (!IsSkipped()) RabbitClient(uri()).delete_queue(queue);
  }
  RabbitPublisherOptions options() { return RabbitPublishing::options(GetParam()); }
};

TEST_P(RabbitPublish, a_message_is_stored_as_it_was_given) {
  RabbitPublisher publisher(options());
  RabbitOutgoing given = message("hello", "id-1");
  given.headers = {{"a", "text"}, {"b", std::int64_t{5}}, {"c", true}};
  given.timestamp = Timestamp(1'700'000'000'999ms);
  const PublishResult result = publisher.publish(given);
  EXPECT_EQ(result.known, Known::stored) << result.why;
  EXPECT_EQ(result.id, "id-1");
  const auto there = found();
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].id, "id-1");
  EXPECT_EQ(there[0].payload, "hello");
  EXPECT_EQ(there[0].delivery_mode, 2);
  EXPECT_EQ(there[0].timestamp, 1'700'000'000);
  EXPECT_EQ(there[0].headers, R"({"a": "text", "b": 5, "c": true})");
}

TEST_P(RabbitPublish, what_has_no_id_gets_one_and_a_timestamp) {
  RabbitPublisher publisher(options());
  const PublishResult result = publisher.publish(message(""));
  EXPECT_TRUE(result.stored()) << result.why;
  const auto there = found();
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(result.id.size(), 36u);
  EXPECT_EQ(there[0].id, result.id);
  EXPECT_EQ(there[0].payload, "");
  EXPECT_GT(there[0].timestamp, 1'600'000'000);
}

TEST_P(RabbitPublish, many_in_the_air_keep_their_order) {
  RabbitPublisher publisher(options());
  const int count = GetParam() == Mode::confirm ? 5'000 : 200;
  std::atomic<int> stored{0};
  for (int i = 0; i < count; ++i)
    publisher.publish_async(message("x", std::to_string(i)), [&](const PublishResult& r) { stored += r.stored(); });
  EXPECT_TRUE(publisher.flush(120s));
  EXPECT_EQ(stored, count);
  const auto there = found();
  ASSERT_EQ(there.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(there[i].id, std::to_string(i));
}

TEST_P(RabbitPublish, a_batch_has_its_results_in_order) {
  RabbitPublisher publisher(options());
  std::vector<RabbitOutgoing> batch;
  for (int i = 0; i < 100; ++i) batch.push_back(message("x", "b" + std::to_string(i)));
  const auto results = publisher.publish_all(batch);
  ASSERT_EQ(results.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(results[i].stored()) << results[i].why;
    EXPECT_EQ(results[i].id, "b" + std::to_string(i));
  }
  EXPECT_EQ(found().size(), 100u);
}

TEST_P(RabbitPublish, threads_share_a_publisher) {
  RabbitPublisher publisher(options());
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i)
        stored += publisher.publish(message("x", std::to_string(t) + "-" + std::to_string(i))).stored();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stored, 200);
  EXPECT_EQ(count_ids(found()).size(), 200u);
}

TEST_P(RabbitPublish, larger_than_a_frame_and_much_larger) {
  RabbitPublisherOptions o = options();
  o.queue_bytes = 1 << 20;  // a single one that is larger than all of the room goes alone
  RabbitPublisher publisher(o);
  for (std::size_t size : {std::size_t{65'536}, std::size_t{65'537}, std::size_t{131'072}, std::size_t{5} << 20}) {
    const PublishResult result = publisher.publish(message(varied(size)));
    EXPECT_TRUE(result.stored()) << size << ": " << result.why;
  }
  const auto there = found();
  ASSERT_EQ(there.size(), 4u);
  EXPECT_EQ(there[0].payload, abridged(varied(65'536)));
  EXPECT_EQ(there[1].payload, abridged(varied(65'537)));
  EXPECT_EQ(there[2].payload, abridged(varied(131'072)));
  EXPECT_EQ(there[3].payload, abridged(varied(5 << 20)));
}

TEST_P(RabbitPublish, the_same_id_twice_in_the_air_is_two_messages_with_two_answers) {
  RabbitPublisher publisher(options());
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 20; ++i)
    results.push_back(
        publisher.publish_async({.routing_key = i % 2 ? queue : "nobody-reads-this", .payload = "x", .id = "same"}));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(results[i].get().known, i % 2 ? Known::stored : Known::returned) << i;
  EXPECT_EQ(found().size(), 10u);
}

TEST_P(RabbitPublish, closing_waits_for_the_answers) {
  RabbitPublisher publisher(options());
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 100; ++i) results.push_back(publisher.publish_async(message("x")));
  EXPECT_TRUE(publisher.close(60s).empty());
  for (auto& result : results) EXPECT_TRUE(result.get().stored());
  const PublishResult late = publisher.publish(message("x"));
  EXPECT_EQ(late.known, Known::refused);
  EXPECT_NE(late.why.find("closed"), std::string::npos) << late.why;
  EXPECT_TRUE(publisher.close(60s).empty());
  EXPECT_EQ(found().size(), 100u);
}

TEST_P(RabbitPublish, a_callback_may_publish_but_not_wait) {
  RabbitPublisher publisher(options());
  std::promise<PublishResult> waited, sent;
  publisher.publish_async(message("first"), [&](const PublishResult&) {
    publisher.publish_async(message("second"), [&](const PublishResult& r) { sent.set_value(r); });
    waited.set_value(publisher.publish(message("third")));
    EXPECT_THROW((void)publisher.close(1s), std::logic_error);
    throw 5;
  });
  EXPECT_NE(waited.get_future().get().why.find("callback"), std::string::npos);
  EXPECT_TRUE(sent.get_future().get().stored());
  EXPECT_EQ(found().size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Modes, RabbitPublish, testing::Values(Mode::confirm, Mode::transaction),
                         [](const auto& mode) { return mode.param == Mode::confirm ? "confirm" : "transaction"; });

}  // namespace
}  // namespace idem::test
