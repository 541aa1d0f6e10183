// The rules of idem/source.h for sources without stable positions, as tests: for every source that acknowledges message
// by message, ours and yours. Sources with positions have source_suite.h.
//
// A source joins with an AckPlace (how to make it, put messages into what it reads and look at what is left there) and
//     INSTANTIATE_TEST_SUITE_P(Mine, AckSourceSuite, testing::Values(AckPlaceFactory{"mine", make}), ack_place_name);
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <idem/source.h>

#include "source_recorder.h"

namespace idem::conformance {

using namespace std::chrono_literals;

/// A fresh, empty queue for one test.
class AckPlace {
 public:
  virtual ~AckPlace() = default;
  virtual std::string topic() const = 0;
  virtual std::unique_ptr<Source> make_source() = 0;
  virtual void append(const std::vector<Copy>& messages) = 0;
  /// How many messages lie there that no reader has in hand, seen by somebody else than the source.
  virtual int left() = 0;
  /// Takes the reader's connection or channel away, as the server may at any time. False: it cannot be done here.
  virtual bool interrupt() { return false; }
};

struct AckPlaceFactory {
  std::string name;
  std::function<std::unique_ptr<AckPlace>()> make;
  /// Why there is no such place on this machine; then the suite is skipped with that reason.
  std::function<std::optional<std::string>()> missing = [] { return std::nullopt; };
  friend void PrintTo(const AckPlaceFactory& factory, std::ostream* out) { *out << factory.name; }
};

inline std::string ack_place_name(const testing::TestParamInfo<AckPlaceFactory>& info) { return info.param.name; }

class AckSourceSuite : public testing::TestWithParam<AckPlaceFactory> {
 protected:
  void SetUp() override {
    if (auto reason = GetParam().missing()) GTEST_SKIP() << *reason;
    place = GetParam().make();
  }

  struct Running {
    Running(AckPlace& the_place, Recorder& the_recorder, bool shared = false) : recorder(the_recorder) {
      recorder.expected_partitions = 1;
      source = the_place.make_source();
      recorder.source = source.get();
      source->start(recorder, {"suite", 10'000, 64 << 20, 5s, shared});
    }
    ~Running() {
      if (source) source->stop();
    }
    Recorder::Partition& partition() { return recorder.partitions[0]; }
    std::size_t received() { return partition().messages.size(); }

    /// Polls until it is so; false after half a minute.
    bool until(const std::function<bool()>& so, std::size_t limit = 100) {
      auto deadline = std::chrono::steady_clock::now() + 30s;
      while (!so() && recorder.fatals.empty()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::size_t before = recorder.delivered;
        source->poll(20ms, limit);
        EXPECT_LE(recorder.delivered - before, limit) << "a poll delivered more than its limit";
      }
      return recorder.fatals.empty();
    }
    void linger(std::chrono::milliseconds time = 300ms) {
      auto deadline = std::chrono::steady_clock::now() + time;
      until([&] { return std::chrono::steady_clock::now() > deadline; });
    }
    void pause(bool paused) {
      partition().paused = paused;
      source->set_paused(partition().handle, paused);
    }
    void acknowledge(std::vector<std::int64_t> offsets) { source->acknowledge(partition().handle, offsets); }
    void stop() {
      source->stop();
      source.reset();
    }

    Recorder& recorder;
    std::unique_ptr<Source> source;
  };

  void append(int count) {
    std::vector<Copy> messages;
    for (int i = 0; i < count; ++i) {
      messages.push_back({.payload = "message " + std::to_string(appended.size())});
      appended.push_back(*messages.back().payload);
    }
    place->append(messages);
  }
  static std::vector<std::string> payloads(const Recorder::Partition& partition) {
    std::vector<std::string> all;
    for (const Copy& message : partition.messages) all.push_back(message.payload.value_or("none"));
    return all;
  }
  /// Until so many lie there for anybody to read.
  bool left_is(int count) {
    for (int tries = 0; tries < 1'000; ++tries) {
      if (place->left() == count) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  std::unique_ptr<AckPlace> place;
  std::vector<std::string> appended;
};

TEST_P(AckSourceSuite, it_says_that_it_has_no_stable_positions) {
  EXPECT_FALSE(place->make_source()->traits().stable_positions);
}

TEST_P(AckSourceSuite, O1_messages_come_in_order_and_each_once) {
  append(300);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.received() >= 300; }));
  append(50);
  ASSERT_TRUE(running.until([&] { return running.received() >= 350; }));
  running.linger();
  EXPECT_EQ(payloads(running.partition()), appended);
}

TEST_P(AckSourceSuite, O1_payload_and_headers_come_as_they_were_sent) {
  using namespace std::string_literals;
  const std::vector<Copy> sent = {
      {.payload = ""},
      {.payload = "p\0\xff'; DROP TABLE"s},
      {.payload = "x", .headers = {{"a", "1"}, {"b", ""}, {"c", "\0\xff"s}}},
      {.payload = std::string(900'000, 'x')},
  };
  place->append(sent);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.received() >= sent.size(); }));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const Copy& came = running.partition().messages[i];
    EXPECT_TRUE(came.payload == sent[i].payload) << i;
    for (const auto& header : sent[i].headers)
      EXPECT_TRUE(std::find(came.headers.begin(), came.headers.end(), header) != came.headers.end()) << header.first;
  }
}

TEST_P(AckSourceSuite, O1_the_end_is_told_after_the_last_message_and_again_after_more) {
  append(10);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.partition().end >= 0; }));
  EXPECT_EQ(running.received(), 10u) << "the end was told before the messages";
  EXPECT_EQ(running.partition().end, running.partition().offsets().back() + 1);
  append(5);
  ASSERT_TRUE(running.until([&] { return running.received() >= 15 && running.partition().end == running.partition().next; }));
}

TEST_P(AckSourceSuite, O1_a_poll_ends_when_the_runtime_has_had_enough) {
  append(50);
  Recorder recorder;
  recorder.message_hook = [](auto&, auto&) { return false; };
  Running running(*place, recorder);
  while (running.received() < 50) {
    const std::size_t before = recorder.delivered;
    running.source->poll(20ms, 1'000);
    ASSERT_LE(recorder.delivered - before, 1u);
  }
  EXPECT_EQ(payloads(running.partition()), appended);
}

TEST_P(AckSourceSuite, O2_stopping_revokes_what_is_held_and_acknowledges_from_inside) {
  append(5);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.received() >= 5; }));
  running.acknowledge(running.partition().offsets());
  running.stop();
  EXPECT_EQ(recorder.revoked, 1);
  EXPECT_EQ(recorder.lost, 0);
  EXPECT_TRUE(left_is(0));
}

TEST_P(AckSourceSuite, O3_paused_it_delivers_nothing) {
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return recorder.holds_all(); }));
  running.pause(true);
  append(30);
  running.linger(500ms);
  EXPECT_EQ(running.received(), 0u);
  running.pause(false);
  ASSERT_TRUE(running.until([&] { return running.received() >= 30; }));
  EXPECT_EQ(payloads(running.partition()), appended);
}

TEST_P(AckSourceSuite, O4_pausing_and_resuming_neither_loses_nor_repeats_nor_reorders) {
  append(1'000);
  Recorder recorder;
  Running running(*place, recorder);
  std::mt19937 random(4);
  recorder.message_hook = [&](Recorder::Partition& partition, const Message&) {
    if (random() % 16 == 0) running.pause(true);
    return !partition.paused;
  };
  ASSERT_TRUE(running.until(
      [&] {
        if (recorder.holds_all()) running.pause(random() % 3 == 0);
        return running.received() >= 1'000;
      },
      40));
  running.pause(false);
  recorder.message_hook = nullptr;
  running.linger();
  EXPECT_EQ(payloads(running.partition()), appended);
}

TEST_P(AckSourceSuite, O7_O9_what_was_acknowledged_is_gone_and_the_rest_comes_to_another_at_once) {
  append(10);
  {
    Recorder recorder;
    Running running(*place, recorder);
    ASSERT_TRUE(running.until([&] { return running.received() >= 10; }));
    const auto offsets = running.partition().offsets();
    // Two in the middle, then the beginning, then one on its own: in any order, each once.
    running.acknowledge({offsets[5], offsets[3]});
    running.linger(50ms);
    running.acknowledge({offsets[1], offsets[0], offsets[2]});
    running.linger(50ms);
    running.acknowledge({offsets[8]});
    running.stop();
  }
  Recorder recorder;
  Running other(*place, recorder);
  ASSERT_TRUE(other.until([&] { return other.received() >= 4; }));
  other.linger();
  EXPECT_EQ(payloads(other.partition()),
            (std::vector<std::string>{appended[4], appended[6], appended[7], appended[9]}));
}

TEST_P(AckSourceSuite, O9_acknowledgements_do_not_wait_for_more_messages) {
  append(3);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.received() >= 3; }));
  running.acknowledge(running.partition().offsets());
  running.linger(100ms);
  ASSERT_TRUE(place->interrupt()) << "needed to see what the server knows";
  ASSERT_TRUE(running.until([&] { return recorder.lost >= 1 && recorder.holds_all(); }));
  running.linger();
  EXPECT_EQ(running.received(), 0u) << "comes again although it was acknowledged";
}

TEST_P(AckSourceSuite, O10_a_lost_assignment_is_told_and_its_acknowledgements_do_nothing) {
  append(10);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.received() >= 10; }));
  const PartitionHandle before = running.partition().handle;
  const auto offsets = running.partition().offsets();
  if (!place->interrupt()) GTEST_SKIP() << "this source cannot be interrupted here";
  ASSERT_TRUE(running.until([&] { return recorder.lost >= 1; }));
  running.source->acknowledge(before, offsets);  // between the assignments
  ASSERT_TRUE(running.until([&] { return recorder.holds_all() && running.received() >= 10; }));
  EXPECT_NE(running.partition().handle, before);
  EXPECT_EQ(payloads(running.partition()), appended) << "all of it again, in order";
  running.source->acknowledge(before, offsets);  // while the same numbers name other deliveries
  running.linger(100ms);
  running.stop();
  EXPECT_TRUE(left_is(10));
}

TEST_P(AckSourceSuite, with_a_store_of_its_own_one_reader_and_with_a_shared_one_several) {
  append(1);
  Recorder first, second;
  {
    Running running(*place, first);
    ASSERT_TRUE(running.until([&] { return running.received() >= 1; }));
    auto other = place->make_source();
    EXPECT_THROW(other->start(second, {"suite", 100, 1 << 20, 5s, /*shared_store=*/false}), std::runtime_error);
  }
  Recorder third, fourth;
  Running one(*place, third, /*shared=*/true), two(*place, fourth, /*shared=*/true);
  append(100);
  ASSERT_TRUE(one.until([&] {
    two.source->poll(0ms, 100);
    return one.received() + two.received() >= 101;
  }));
}

TEST_P(AckSourceSuite, wake_ends_a_poll_also_if_it_came_just_before) {
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return running.partition().end >= 0; }));
  running.linger();
  running.source->wake();
  running.source->poll(10min, 100);
  std::thread waker([&] {
    std::this_thread::sleep_for(100ms);
    running.source->wake();
  });
  running.source->poll(10min, 100);  // a wake-up that is lost shows as a test that does not end
  waker.join();
}

}  // namespace idem::conformance
