// What the queue knows of a source that leaves with messages in its hands.
#include <gtest/gtest.h>

#include <thread>

#include "running_source.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

struct RabbitLeaving : testing::Test {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    client = std::make_unique<RabbitClient>(RabbitBroker::shared().uri());
    client->declare_queue(queue);
    client->publish(queue, {{.payload = "1"}, {.payload = "2"}});
  }
  void TearDown() override {
    if (client) client->delete_queue(queue);
  }
  /// Consumers of the queue while the source waits for its last messages.
  int consumers_seen(bool shared) {
    RunningRabbit leaving(options_for(RabbitBroker::shared().uri(), queue));
    leaving.start(10'000, shared);
    EXPECT_TRUE(leaving.until([&] { return leaving.received() == 2; }));
    int seen = -1;
    leaving.recorder.while_revoked = [&] {
      std::this_thread::sleep_for(300ms);  // a cancel has arrived by then
      seen = client->consumers(queue);
    };
    leaving.stop();
    return seen;
  }

  const std::string queue = unique_name("queue");
  std::unique_ptr<RabbitClient> client;
};

// Whoever came after one that was killed while it left would take a queue without a consumer for one that has everything
// back.
TEST_F(RabbitLeaving, the_only_reader_stays_one_until_all_is_back) { EXPECT_EQ(consumers_seen(/*shared=*/false), 1); }

TEST_F(RabbitLeaving, one_of_several_takes_no_more) { EXPECT_EQ(consumers_seen(/*shared=*/true), 0); }

}  // namespace
}  // namespace idem::test
