// What servers and networks do to a running source.
#include <gtest/gtest.h>

#include "running_source.h"
#include "support/tcp_proxy.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

struct RabbitFaults : testing::Test {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    client = std::make_unique<RabbitClient>(broker().uri());
  }
  virtual RabbitBroker& broker() { return RabbitBroker::shared(); }
  void send(int count) {
    std::vector<RabbitMessage> messages;
    for (int i = 0; i < count; ++i) messages.push_back({.payload = std::to_string(i)});
    client->publish(queue, messages);
  }

  std::string queue = unique_name("queue");
  std::unique_ptr<RabbitClient> client;
};

TEST_F(RabbitFaults, a_deleted_queue_that_nobody_declares_ends_the_run) {
  client->declare_queue(queue);
  RunningRabbit running(options_for(broker().uri(), queue));
  running.start();
  client->delete_queue(queue);
  ASSERT_TRUE(running.until([&] { return !running.recorder.fatals.empty(); }));
  EXPECT_TRUE(running.warned("cancelled"));
  EXPECT_TRUE(running.said_fatal("no queue '" + queue + "'")) << running.recorder.fatals[0];
  EXPECT_EQ(running.recorder.lost, 1);
  running.linger(200ms);
  EXPECT_EQ(running.recorder.fatals.size(), 1u);
  EXPECT_EQ(running.source.incidents().cancelled, 1u);
  EXPECT_EQ(running.source.incidents().failed_attempts, 1u);
}

TEST_F(RabbitFaults, a_deleted_queue_of_the_topology_is_made_again) {
  RabbitOptions options = options_for(broker().uri(), queue);
  options.topology.queues = {{.name = queue}};
  RunningRabbit running(options);
  running.start();
  client->delete_queue(queue);
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1 && running.partition().held; }));
  send(3);
  EXPECT_TRUE(running.until([&] { return running.received() >= 3; }));
  EXPECT_EQ(running.source.incidents().reconnected, 1u);
  running.stop();
  client->delete_queue(queue);
}

// Nothing comes and nothing is refused: only the heartbeats that stay out tell. The server finds out by its own, and
// until then the lock is held by a connection that nobody is at.
TEST_F(RabbitFaults, a_wire_that_hangs_is_given_up_and_the_queue_taken_back) {
  client->declare_queue(queue);
  send(5);
  TcpProxy wire(broker().port());
  RabbitOptions options = options_for("amqp://127.0.0.1:" + std::to_string(wire.port()), queue);
  options.heartbeat = 1s;
  RunningRabbit running(options);
  running.start();
  ASSERT_TRUE(running.until([&] { return running.received() >= 5; }));
  wire.hold();
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1; }));
  wire.release();
  ASSERT_TRUE(running.until([&] { return running.received() >= 5; })) << "all of it again";
  EXPECT_EQ(running.source.incidents().connections_lost, 1u);
  EXPECT_TRUE(running.recorder.fatals.empty()) << running.recorder.fatals[0];
  running.stop();
  client->delete_queue(queue);
}

TEST_F(RabbitFaults, heartbeats_are_kept_up_while_nothing_is_read) {
  client->declare_queue(queue);
  RabbitOptions options = options_for(broker().uri(), queue);
  options.heartbeat = 1s;
  RunningRabbit running(options);
  running.start();
  running.source.set_paused(running.partition().handle, true);
  running.linger(3s);
  for (int i = 0; i < 30; ++i) {  // as the runtime does while it waits for handlers
    running.source.keep_alive();
    std::this_thread::sleep_for(100ms);
  }
  running.source.set_paused(running.partition().handle, false);
  running.linger(500ms);
  EXPECT_EQ(running.recorder.lost, 0);
  running.stop();
  client->delete_queue(queue);
}

// The bytes of the budget are used up and the server has more to send: it would end the connection after 30 s.
TEST_F(RabbitFaults, what_nobody_has_room_for_is_given_back_and_less_is_asked_for) {
  client->declare_queue(queue);
  std::vector<RabbitMessage> large(40, {.payload = std::string(1 << 20, 'x')});
  client->publish(queue, large);
  RunningRabbit running(options_for(broker().uri(), queue));
  bool paused = false;
  running.recorder.message_hook = [&](auto& partition, const Message&) {
    if (partition.messages.size() == 5) running.source.set_paused(partition.handle, paused = true);
    return !paused;
  };
  running.start();
  ASSERT_TRUE(running.until([&] { return paused; }));
  const auto first = running.partition().offsets();
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1; }));
  EXPECT_TRUE(running.warned("lowered to 4"));
  EXPECT_EQ(running.source.incidents().given_back, 1u);
  EXPECT_LE(first.size(), 5u);
  paused = false;
  running.recorder.message_hook = nullptr;
  ASSERT_TRUE(running.until([&] { return running.received() >= 4; }));
  running.linger(300ms);
  EXPECT_EQ(running.received(), 4u);
  ASSERT_TRUE(running.until([&] {
    if (client->ready(queue) > 0 || running.received() < 40) running.acknowledge(running.partition().offsets());
    return running.received() >= 40;
  }));
  running.stop();
  client->delete_queue(queue);
}

// --- a server of its own, that is killed or set up otherwise ------------------------------------------------------

struct RabbitKilled : RabbitFaults {
  RabbitBroker& broker() override {
    if (!own) own = std::make_unique<RabbitBroker>();
    return *own;
  }
  std::unique_ptr<RabbitBroker> own;
};

TEST_F(RabbitKilled, it_comes_back_by_itself_and_so_does_what_was_not_acknowledged) {
  client->declare_queue(queue, {{"x-queue-type", "quorum"}});
  send(20);
  broker().sync();
  RunningRabbit running(options_for(broker().uri(), queue));
  running.start();
  ASSERT_TRUE(running.until([&] { return running.received() >= 20; }));
  running.acknowledge({1, 2, 3});
  running.linger(300ms);
  client.reset();
  broker().kill();
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1; }));
  running.linger(500ms);
  EXPECT_FALSE(running.partition().held);
  broker().restart();
  ASSERT_TRUE(running.until([&] { return running.received() >= 17 || !running.recorder.fatals.empty(); }));
  running.linger(300ms);
  EXPECT_LE(running.received(), 20u) << "an acknowledgement has no answer and may be lost with the server";
  EXPECT_TRUE(running.recorder.fatals.empty());
}

TEST_F(RabbitKilled, an_operator_closes_the_connection) {
  client->declare_queue(queue);
  send(3);
  RunningRabbit running(options_for(broker().uri(), queue));
  running.start();
  ASSERT_TRUE(running.until([&] { return running.received() >= 3; }));
  broker().ctl({"close_all_connections", "maintenance"});
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1; }));
  EXPECT_TRUE(running.warned("the server closed the connection: CONNECTION_FORCED - maintenance"));
  EXPECT_EQ(running.source.incidents().connections_closed, 1u);
  ASSERT_TRUE(running.until([&] { return running.received() >= 3; })) << "again, on a new one";
  client.reset();
}

TEST_F(RabbitKilled, stopping_while_there_is_no_server) {
  client->declare_queue(queue);
  RunningRabbit running(options_for(broker().uri(), queue));
  running.start();
  client.reset();
  broker().kill();
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1; }));
  running.stop();
  EXPECT_EQ(running.recorder.revoked, 0);
}

/// A quorum queue whose leader does not answer for a while. The server then says of it: 0 messages, 0 consumers.
struct RabbitSilentLeader : RabbitKilled {
  void SetUp() override {
    RabbitKilled::SetUp();
    if (!IsSkipped()) client->declare_queue(queue, {{"x-queue-type", "quorum"}});
  }
  void silence_the_leader() {
    const std::string leader = "Leader = whereis(list_to_atom(\"%2F_" + queue + "\"))";
    broker().eval(leader + ", sys:suspend(Leader), spawn(fun() -> timer:sleep(3000), sys:resume(Leader) end), ok.");
  }
};

TEST_F(RabbitSilentLeader, does_not_hide_another_reader) {
  RunningRabbit other(options_for(broker().uri(), queue));
  other.start(10'000, /*shared=*/true);
  silence_the_leader();
  const std::string what = RunningRabbit(options_for(broker().uri(), queue)).refusal();
  EXPECT_NE(what.find("another process"), std::string::npos) << what;
}

TEST_F(RabbitSilentLeader, is_not_the_end_of_the_queue) {
  send(100);
  RunningRabbit running(options_for(broker().uri(), queue));
  running.recorder.start = [&](const AssignedPartition& assigned) {
    silence_the_leader();
    return StartAt{{}, true, assigned.initial};
  };
  running.start(/*budget=*/6);
  ASSERT_TRUE(running.until([&] { return running.received() == 5; }));
  ASSERT_TRUE(running.until([&] { return running.source.lag(running.partition().handle, 0) == 100; }));
  EXPECT_EQ(running.partition().end, -1) << "95 messages are left";
  ASSERT_TRUE(running.until([&] {
    running.acknowledge(running.partition().offsets());
    return running.partition().end == 101;
  }));
}

TEST_F(RabbitKilled, a_memory_alarm_does_not_stop_consuming) {
  client->declare_queue(queue);
  send(10);
  broker().ctl({"set_vm_memory_high_watermark", "0.0000001"});
  RunningRabbit running(options_for(broker().uri(), queue));
  running.start();
  EXPECT_TRUE(running.until([&] { return running.received() >= 10; }));
  running.acknowledge(running.partition().offsets());
  running.stop();
  EXPECT_EQ(client->ready(queue), 0);
}

struct RabbitConsumerTimeout : RabbitFaults {
  RabbitBroker& broker() override {
    if (!own)
      own = std::make_unique<RabbitBroker>(RabbitBroker::Options{
          .advanced = "[{rabbit, [{consumer_timeout, 3000}, {channel_tick_interval, 300}]}]."});
    return *own;
  }
  std::unique_ptr<RabbitBroker> own;
};

TEST_F(RabbitConsumerTimeout, one_message_is_handed_back_in_time_and_its_neighbours_stay) {
  for (const char* type : {"classic", "quorum"}) {
    queue = unique_name("queue");
    client->declare_queue(queue, {{"x-queue-type", type}});
    send(3);
    RabbitOptions options = options_for(broker().uri(), queue);
    options.consumer_timeout = 3'000ms;
    RunningRabbit running(options);
    running.start();
    ASSERT_TRUE(running.until([&] { return running.received() >= 3; }));
    running.acknowledge({2, 3});  // the first one's handler is slow
    ASSERT_TRUE(running.until([&] { return running.received() >= 4; }));
    EXPECT_EQ(running.partition().messages[3].payload, "0") << "its copy";
    running.acknowledge({1});  // the slow handler is done: its tag means nothing to the server any more
    running.acknowledge({4});
    running.linger(5s);
    EXPECT_EQ(running.received(), 4u);
    EXPECT_EQ(running.recorder.lost, 0) << "the server would have closed the channel";
    EXPECT_GE(running.source.incidents().handed_back, 1u);
    running.stop();
    EXPECT_EQ(client->ready(queue), 0);
  }
}

TEST_F(RabbitConsumerTimeout, a_limit_that_was_not_told_is_learnt) {
  client->declare_queue(queue);
  send(1);
  RunningRabbit running(options_for(broker().uri(), queue));
  running.start();
  ASSERT_TRUE(running.until([&] { return running.recorder.lost == 1; }));
  EXPECT_TRUE(running.warned("consumer_timeout is 3000 ms"));
  EXPECT_EQ(running.source.incidents().channels_closed, 1u);
  ASSERT_TRUE(running.until([&] { return running.received() >= 2; })) << "handed back in time now";
  EXPECT_EQ(running.recorder.lost, 1);
}

}  // namespace
}  // namespace idem::test
