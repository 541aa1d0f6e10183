// What servers and networks do to a publisher: nothing that was said to be stored is missing.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "rabbit_publishing.h"
#include "support/tcp_proxy.h"

namespace idem::test {
namespace {

/// What the publishers log. Registered before the first of them looks for it.
std::ostringstream& logged() {
  static std::ostringstream text;
  return text;
}
const bool registered = [] {
  const spdlog::sinks_init_list sinks = {std::make_shared<spdlog::sinks::ostream_sink_mt>(logged(), true),
                                         std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  spdlog::register_logger(std::make_shared<spdlog::logger>("idem", sinks));
  return true;
}();

/// Publishes one message after another, without waiting, until told to end; keeps the results.
class Stream {
 public:
  Stream(RabbitPublisher& publisher, RabbitOutgoing model) : publisher_(publisher), model_(std::move(model)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Stream() { end(); }
  void end() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
  }
  /// Waits until so many more are stored.
  void advance(int count) {
    const int wanted = stored_ + count;
    while (stored_ < wanted) std::this_thread::sleep_for(10ms);
  }
  std::set<std::string> ids(Known known) {
    std::lock_guard lock(mutex_);
    return ids_[known];
  }
  std::size_t results() {
    std::lock_guard lock(mutex_);
    std::size_t all = 0;
    for (const auto& [known, ids] : ids_) all += ids.size();
    return all;
  }
  std::size_t published() const { return published_; }

 private:
  void run() {
    while (!ended_) {
      RabbitOutgoing message = model_;
      message.id = std::to_string(++published_);
      publisher_.publish_async(std::move(message), [this](const PublishResult& result) {
        std::lock_guard lock(mutex_);
        ids_[result.known].insert(result.id);
        stored_ += result.stored();
      });
    }
  }
  RabbitPublisher& publisher_;
  const RabbitOutgoing model_;
  std::atomic<bool> ended_{false};
  std::atomic<int> stored_{0};
  std::atomic<std::size_t> published_{0};
  std::mutex mutex_;
  std::map<Known, std::set<std::string>> ids_;
  std::thread thread_;
};

struct RabbitOutages : testing::Test, OwnRabbit {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    IDEM_NEEDS("pika", no_pika());
  }
  void expect_all_stored(const std::set<std::string>& ids) {
    const auto there = count_ids(found());
    std::size_t missing = 0, copies = 0;
    for (const std::string& id : ids) missing += !there.contains(id);
    for (const auto& [id, count] : there) copies += count - 1;
    EXPECT_EQ(missing, 0u) << "of " << ids.size() << " confirmed";
    std::printf("confirmed %zu missing %zu copies %zu\n", ids.size(), missing, copies);
  }
};

struct RabbitKills : RabbitOutages, testing::WithParamInterface<std::tuple<Mode, RabbitQueue::Type>> {};

TEST_P(RabbitKills, nothing_confirmed_is_missing_after_the_server_was_killed) {
  RabbitPublisherOptions o = options(std::get<0>(GetParam()));
  o.topology.queues[0].type = std::get<1>(GetParam());
  if (o.topology.queues[0].type == RabbitQueue::Type::quorum) o.topology.queues[0].delivery_limit = 1'000'000;
  o.queue_messages = 1'000;
  o.wait_for_room = 300s;  // longer than any restart, or the stream is refused for lack of room
  RabbitPublisher publisher(o);
  // A quorum queue of RabbitMQ 3.10 that is killed within a second of its declaration never finds its leader again:
  // what it registers itself in is written late.
  std::this_thread::sleep_for(3s);
  Stream stream(publisher, message(std::string(300, 'x')));
  for (int kill = 0; kill < 2; ++kill) {
    stream.advance(100);
    broker().kill();
    broker().restart();
  }
  stream.advance(100);
  stream.end();
  EXPECT_TRUE(publisher.close(120s).empty());
  EXPECT_EQ(stream.ids(Known::stored).size(), stream.published()) << "each has come through in the end";
  expect_all_stored(stream.ids(Known::stored));
}

INSTANTIATE_TEST_SUITE_P(Queues, RabbitKills,
                         testing::Values(std::tuple(Mode::confirm, RabbitQueue::Type::classic),
                                         std::tuple(Mode::confirm, RabbitQueue::Type::quorum),
                                         std::tuple(Mode::transaction, RabbitQueue::Type::classic)));

TEST_F(RabbitOutages, a_wire_that_is_cut_again_and_again) {
  TcpProxy wire(broker().port());
  RabbitPublisherOptions o = options();
  o.uri = "amqp://127.0.0.1:" + std::to_string(wire.port());
  o.wait_for_room = 300s;
  RabbitPublisher publisher(o);
  Stream stream(publisher, message(std::string(2'000, 'x')));
  for (int cut = 0; cut < 5; ++cut) {
    stream.advance(200);
    wire.cut();
  }
  stream.end();
  EXPECT_TRUE(publisher.close(120s).empty());
  EXPECT_EQ(stream.ids(Known::stored).size(), stream.published());
  expect_all_stored(stream.ids(Known::stored));
}

TEST_F(RabbitOutages, what_is_not_answered_in_time_is_sent_again) {
  TcpProxy wire(broker().port());
  RabbitPublisherOptions o = options();
  o.uri = "amqp://127.0.0.1:" + std::to_string(wire.port());
  o.confirm_timeout = 500ms;
  RabbitPublisher publisher(o);
  wire.hold();
  auto result = publisher.publish_async(message("x", "held"));
  while (logged().str().find("has not answered for 500 ms") == std::string::npos) std::this_thread::sleep_for(20ms);
  wire.release();
  EXPECT_TRUE(result.get().stored());
  EXPECT_TRUE(publisher.close(60s).empty());
  EXPECT_TRUE(count_ids(found()).contains("held"));
}

TEST_F(RabbitOutages, without_a_server_it_says_so_and_goes_on_when_there_is_one) {
  RabbitPublisherOptions o = options();
  broker().kill();
  o.connect_at_start = false;
  o.give_up = 500ms;
  o.queue_messages = 2;
  o.wait_for_room = 0ms;
  RabbitPublisher publisher(o);
  const PublishResult result = publisher.publish(message("x"));
  EXPECT_EQ(result.known, Known::refused);
  EXPECT_NE(result.why.find("no connection"), std::string::npos) << result.why;
  EXPECT_NE(result.why.find("give_up"), std::string::npos) << result.why;
  std::vector<std::future<PublishResult>> results;
  for (int i = 0; i < 3; ++i) results.push_back(publisher.publish_async(message("x")));
  const PublishResult full = results[2].get();
  EXPECT_EQ(full.known, Known::refused);
  EXPECT_NE(full.why.find("no room"), std::string::npos) << full.why;
  EXPECT_NE(full.why.find("no connection"), std::string::npos) << full.why;
  broker().restart();
  while (!publisher.publish(message("later", "later")).stored()) continue;
  EXPECT_EQ(count_ids(found()).count("later"), 1u);
}

TEST_F(RabbitOutages, closed_with_confirms_outstanding_it_names_them) {
  TcpProxy wire(broker().port());
  RabbitPublisherOptions o = options();
  o.uri = "amqp://127.0.0.1:" + std::to_string(wire.port());
  o.window = 6;
  RabbitPublisher publisher(o);
  EXPECT_TRUE(publisher.publish(message("x", "before")).stored());
  broker().pause();
  std::vector<std::future<PublishResult>> results;
  const std::string large(10'000, 'x');
  const std::uint64_t all_sent = wire.bytes_to_server() + o.window * large.size();
  for (int i = 0; i < 10; ++i) results.push_back(publisher.publish_async(message(large, std::to_string(i))));
  while (wire.bytes_to_server() < all_sent) std::this_thread::sleep_for(10ms);
  const Unresolved left = publisher.close(0ms);
  EXPECT_EQ(left.unknown, (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(left.not_sent, (std::vector<std::string>{"6", "7", "8", "9"}));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(results[i].get().known, i < 6 ? Known::unknown : Known::refused) << i;
  broker().resume();
}

TEST_F(RabbitOutages, destroyed_with_confirms_outstanding_it_logs_how_many) {
  RabbitPublisherOptions o = options();
  o.close_timeout = 300ms;
  o.name = "destroyed";
  std::vector<std::future<PublishResult>> results;
  {
    RabbitPublisher publisher(o);
    broker().pause();
    for (int i = 0; i < 7; ++i) results.push_back(publisher.publish_async(message("top secret")));
  }
  broker().resume();
  for (auto& result : results) EXPECT_EQ(result.get().known, Known::unknown);
  EXPECT_NE(logged().str().find("destroyed: the publisher ends with 7 messages whose fate is unknown"),
            std::string::npos);
  EXPECT_EQ(logged().str().find("top secret"), std::string::npos);
}

TEST_F(RabbitOutages, a_blocked_server_is_waited_for_and_named) {
  RabbitPublisherOptions o = options();
  o.confirm_timeout = 500ms;  // does not run while the server blocks
  RabbitPublisher patient(o);
  o.give_up = 2s;
  RabbitPublisher hasty(o);
  const std::string normal = broker().eval("vm_memory_monitor:get_vm_memory_high_watermark().");
  broker().ctl({"set_vm_memory_high_watermark", "0.0000001"});
  // What is written before the server says that it blocks may be stored or not.
  auto first = hasty.publish_async(message("x", "first"));
  auto waits = patient.publish_async(message("x", "waits"));
  EXPECT_EQ(first.get().known, Known::unknown);
  const PublishResult second = hasty.publish(message("x", "second"));
  EXPECT_EQ(second.known, Known::refused);
  EXPECT_NE(second.why.find("blocked publishers (low on memory)"), std::string::npos) << second.why;
  EXPECT_EQ(waits.wait_for(0s), std::future_status::timeout);
  broker().ctl({"set_vm_memory_high_watermark", "0.8"});
  EXPECT_TRUE(waits.get().stored()) << normal;
  EXPECT_TRUE(hasty.publish(message("x", "third")).stored());
  const auto ids = count_ids(found());
  EXPECT_TRUE(ids.contains("waits") && ids.contains("third"));
  EXPECT_FALSE(ids.contains("second"));
}

// As when its disk is nearly full.
TEST_F(RabbitOutages, a_server_out_of_disk_is_waited_for_and_nothing_is_lost) {
  RabbitPublisherOptions o = options();
  o.queue_messages = 500;
  o.confirm_timeout = 500ms;
  o.wait_for_room = 300s;
  RabbitPublisher publisher(o);
  o.wait_for_room = 0ms;
  o.queue_messages = 1;
  RabbitPublisher hasty(o);
  Stream stream(publisher, message(std::string(300, 'x')));
  stream.advance(100);
  broker().ctl({"set_disk_free_limit", "100000GB"});
  // What is in hand fills up, and nothing has a result meanwhile.
  auto waits = hasty.publish_async(message("x", "waits"));
  PublishResult refused;
  for (int i = 0; i < 600 && refused.why.find("low on disk") == std::string::npos; ++i) {
    std::this_thread::sleep_for(100ms);
    refused = hasty.publish(message("x", "no room"));
  }
  EXPECT_EQ(refused.known, Known::refused);
  EXPECT_NE(refused.why.find("blocked publishers (low on disk)"), std::string::npos) << refused.why;
  EXPECT_EQ(waits.wait_for(0s), std::future_status::timeout);
  broker().ctl({"set_disk_free_limit", "50MB"});
  EXPECT_TRUE(waits.get().stored());
  stream.advance(100);
  stream.end();
  EXPECT_TRUE(publisher.close(120s).empty());
  EXPECT_EQ(stream.ids(Known::stored).size(), stream.published());
  expect_all_stored(stream.ids(Known::stored));
}

// Large enough that the server stops reading before the commit.
TEST_F(RabbitOutages, a_transaction_that_cannot_be_sent_in_time_is_rolled_back) {
  RabbitPublisherOptions o = options(Mode::transaction);
  o.give_up = 2s;
  RabbitPublisher publisher(o);
  broker().ctl({"set_vm_memory_high_watermark", "0.0000001"});
  std::vector<RabbitOutgoing> batch(200, message(std::string(60'000, 'x')));
  for (const auto& result : publisher.publish_all(batch)) {
    EXPECT_EQ(result.known, Known::refused) << result.why;
    EXPECT_NE(result.why.find("give_up"), std::string::npos) << result.why;
  }
  broker().ctl({"set_vm_memory_high_watermark", "0.8"});
  EXPECT_TRUE(publisher.publish(message("x", "after")).stored());
  EXPECT_EQ(found().size(), 1u);
}

}  // namespace
}  // namespace idem::test
