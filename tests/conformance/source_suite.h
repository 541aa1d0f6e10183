// The rules of idem/source.h as tests: one or more per numbered rule, named after it. For every source, ours
// and yours.
//
// A source joins with a SourcePlace (how to make it, append to what it reads and look at what it committed)
// and
//     INSTANTIATE_TEST_SUITE_P(Mine, SourceSuite, testing::Values(PlaceFactory{"mine", make}), place_name);
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <idem/source.h>

#include "source_recorder.h"

namespace idem::conformance {

using namespace std::chrono_literals;

/// A fresh log with two partitions that a group reads, for one test.
class SourcePlace {
 public:
  static constexpr std::int32_t partitions = 2;

  virtual ~SourcePlace() = default;
  virtual std::string topic() const = 0;
  /// A source of the group that reads the whole log: all of it if it is the group's only one.
  virtual std::unique_ptr<Source> make_source() = 0;
  /// Appends in order; `offset` is not used. Returns the offsets.
  virtual std::vector<std::int64_t> append(std::int32_t partition, const std::vector<Copy>& messages) = 0;
  /// What the group has committed, seen by somebody else than the source.
  virtual std::optional<std::pair<std::int64_t, std::string>> committed(std::int32_t partition) = 0;
  /// Commits as somebody else would. Nothing is reading.
  virtual void commit(std::int32_t partition, std::int64_t next, const std::string& metadata) = 0;
  /// Begins to take at least one partition away from `running`, which goes on being polled. False: its
  /// partitions are its own until it stops, and the rules about losing them are skipped.
  virtual bool begin_take_away(Source& running) = 0;
  /// Called between polls, for whatever begin_take_away() needs.
  virtual void turn() {}
};

struct PlaceFactory {
  std::string name;
  std::function<std::unique_ptr<SourcePlace>()> make;
  /// Why there is no such place on this machine; then the suite is skipped with that reason.
  std::function<std::optional<std::string>()> missing = [] { return std::nullopt; };
  friend void PrintTo(const PlaceFactory& factory, std::ostream* out) { *out << factory.name; }
};

inline std::string place_name(const testing::TestParamInfo<PlaceFactory>& info) { return info.param.name; }

class SourceSuite : public testing::TestWithParam<PlaceFactory> {
 protected:
  void SetUp() override {
    if (auto reason = GetParam().missing()) GTEST_SKIP() << *reason;
    place = GetParam().make();
  }

  static SourceContext context() { return {"suite", 10'000, 64 << 20, 5s}; }

  /// A source that runs, from its first poll to its end.
  struct Running {
    Running(SourcePlace& the_place, Recorder& the_recorder) : place(the_place), recorder(the_recorder) {
      source = place.make_source();
      recorder.source = source.get();
      source->start(recorder, context());
    }
    ~Running() {
      if (source) source->stop();
    }

    /// Polls until it is so; false after half a minute.
    bool until(const std::function<bool()>& so, std::size_t limit = 100) {
      auto deadline = std::chrono::steady_clock::now() + 30s;
      while (!so() && recorder.fatals.empty()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::size_t before = recorder.delivered;
        source->poll(20ms, limit);
        EXPECT_LE(recorder.delivered - before, limit) << "a poll delivered more than its limit";
        place.turn();
      }
      return recorder.fatals.empty();
    }
    bool until_assigned() {
      return until([&] { return recorder.holds_all(); });
    }
    /// Nothing more may come: polls for a while.
    void linger(std::chrono::milliseconds time = 300ms) {
      auto deadline = std::chrono::steady_clock::now() + time;
      until([&] { return std::chrono::steady_clock::now() > deadline; });
    }
    void pause(std::int32_t partition, bool paused) {
      recorder.partitions[partition].paused = paused;
      source->set_paused(recorder.partitions[partition].handle, paused);
    }
    void stop() {
      source->stop();
      source.reset();
    }

    SourcePlace& place;
    Recorder& recorder;
    std::unique_ptr<Source> source;
  };

  void append(std::int32_t partition, int count) {
    std::vector<Copy> messages;
    for (int i = 0; i < count; ++i) messages.push_back({.payload = "message " + std::to_string(i)});
    std::vector<std::int64_t> offsets = place->append(partition, messages);
    appended[partition].insert(appended[partition].end(), offsets.begin(), offsets.end());
  }
  bool all_delivered(const Recorder& recorder) const {
    return std::all_of(appended.begin(), appended.end(), [&](const auto& one) {
      auto found = recorder.partitions.find(one.first);
      return found != recorder.partitions.end() && found->second.messages.size() >= one.second.size();
    });
  }
  static Commit commit_of(const Recorder::Partition& partition, std::string metadata) {
    return {partition.handle, partition.assigned.partition, partition.next, std::move(metadata)};
  }

  std::unique_ptr<SourcePlace> place;
  std::map<std::int32_t, std::vector<std::int64_t>> appended;
};

TEST_P(SourceSuite, O1_messages_come_in_log_order_and_each_once) {
  append(0, 150);
  append(1, 150);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
  append(0, 50);
  append(1, 50);
  ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
  running.linger();
  EXPECT_EQ(recorder.partitions[0].offsets(), appended[0]);
  EXPECT_EQ(recorder.partitions[1].offsets(), appended[1]);
}

TEST_P(SourceSuite, O1_begins_at_the_offset_asked_for_and_leaves_unread_what_is_not_wanted) {
  append(0, 20);
  append(1, 20);
  Recorder recorder;
  recorder.start = [&](const AssignedPartition& assigned) {
    bool first = assigned.partition.partition == 0;
    return StartAt{{}, /*read=*/first, first ? appended[0][7] : 0};
  };
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return recorder.partitions[0].messages.size() >= 13; }));
  running.linger();
  EXPECT_EQ(recorder.partitions[0].offsets(), std::vector(appended[0].begin() + 7, appended[0].end()));
  EXPECT_TRUE(recorder.partitions[1].messages.empty());
}

TEST_P(SourceSuite, O1_key_payload_and_headers_come_as_they_were_sent) {
  using namespace std::string_literals;
  const std::vector<Copy> sent = {
      {.key = std::nullopt, .payload = std::nullopt},
      {.key = "", .payload = ""},
      {.key = "k\0\xff"s, .payload = "p\0'; DROP TABLE"s},
      {.key = "h", .payload = "x", .headers = {{"a", "1"}, {"a", ""}, {"b", std::nullopt}, {"", "\0"s}}},
      {.key = "large", .payload = std::string(900'000, 'x')},
  };
  place->append(0, sent);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return recorder.partitions[0].messages.size() >= sent.size(); }));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const Copy& came = recorder.partitions[0].messages[i];
    EXPECT_EQ(came.key, sent[i].key) << i;
    EXPECT_TRUE(came.payload == sent[i].payload) << i;
    EXPECT_EQ(came.headers, sent[i].headers) << i;
  }
}

TEST_P(SourceSuite, O1_the_end_is_told_and_says_where_it_is) {
  append(0, 10);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return recorder.partitions[0].end >= 0 && recorder.partitions[1].end >= 0; }));
  EXPECT_EQ(recorder.partitions[0].end, appended[0].back() + 1);
  EXPECT_EQ(recorder.partitions[0].messages.size(), 10u) << "the end was told before the messages";
  EXPECT_EQ(running.source->lag(recorder.partitions[0].handle, appended[0].back() + 1).value_or(0), 0);
}

TEST_P(SourceSuite, O1_a_poll_ends_when_the_runtime_has_had_enough) {
  append(0, 50);
  Recorder recorder;
  recorder.message_hook = [](auto&, auto&) { return false; };
  Running running(*place, recorder);
  while (!all_delivered(recorder)) {
    std::size_t before = recorder.delivered;
    running.source->poll(20ms, 1'000);
    ASSERT_LE(recorder.delivered - before, 1u);
  }
  EXPECT_EQ(recorder.partitions[0].offsets(), appended[0]);
}

TEST_P(SourceSuite, O2_nothing_comes_after_partitions_were_taken_away) {
  append(0, 20);
  append(1, 20);
  Recorder recorder;
  recorder.commit_on_revoke = true;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
  if (!place->begin_take_away(*running.source)) GTEST_SKIP() << "this source keeps its partitions until it stops";
  ASSERT_TRUE(running.until([&] { return recorder.revoked > 0; }));
  // What was committed while giving up is there, and what is appended now is delivered of held partitions
  // only: the recorder complains otherwise.
  append(0, 20);
  append(1, 20);
  running.linger(1s);
  EXPECT_FALSE(recorder.holds_all());
  for (std::int32_t partition : recorder.given_up) {
    auto committed = place->committed(partition);
    ASSERT_TRUE(committed) << partition;
    EXPECT_GE(committed->first, 20) << partition;
  }
}

TEST_P(SourceSuite, O2_stopping_revokes_what_is_held) {
  append(0, 5);
  Recorder recorder;
  recorder.commit_on_revoke = true;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until_assigned());
  ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
  running.stop();
  EXPECT_GE(recorder.revoked, 1);
  EXPECT_EQ(recorder.lost, 0);
  EXPECT_FALSE(recorder.partitions[0].held || recorder.partitions[1].held);
  ASSERT_TRUE(place->committed(0));
  EXPECT_EQ(place->committed(0)->first, appended[0].back() + 1) << "on_revoked can still commit";
}

TEST_P(SourceSuite, O3_a_paused_partition_delivers_nothing_while_others_do) {
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until_assigned());
  running.pause(0, true);
  append(0, 30);
  append(1, 30);
  ASSERT_TRUE(running.until([&] { return recorder.partitions[1].messages.size() >= 30; }));
  running.linger(700ms);
  EXPECT_TRUE(recorder.partitions[0].messages.empty());
  EXPECT_EQ(recorder.partitions[1].offsets(), appended[1]);
  running.pause(0, false);
  ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
  EXPECT_EQ(recorder.partitions[0].offsets(), appended[0]);
}

TEST_P(SourceSuite, O4_pausing_and_resuming_neither_loses_nor_repeats_nor_reorders) {
  append(0, 1'000);
  append(1, 1'000);
  Recorder recorder;
  Running running(*place, recorder);
  std::mt19937 random(4);
  ASSERT_TRUE(running.until_assigned());
  ASSERT_TRUE(running.until(
      [&] {
        for (std::int32_t partition : {0, 1}) running.pause(partition, random() % 3 == 0);
        return all_delivered(recorder);
      },
      40));
  for (std::int32_t partition : {0, 1}) running.pause(partition, false);
  running.linger();
  EXPECT_EQ(recorder.partitions[0].offsets(), appended[0]);
  EXPECT_EQ(recorder.partitions[1].offsets(), appended[1]);
}

TEST_P(SourceSuite, O4_pausing_and_resuming_from_inside_on_message) {
  append(0, 500);
  append(1, 500);
  Recorder recorder;
  Running running(*place, recorder);
  std::mt19937 random(5);
  recorder.message_hook = [&](auto&, auto&) {
    for (std::int32_t partition : {0, 1})
      if (random() % 8 == 0 && recorder.partitions[partition].held) running.pause(partition, random() % 2 == 0);
    return true;
  };
  ASSERT_TRUE(running.until([&] {
    bool all_paused = recorder.partitions[0].paused && recorder.partitions[1].paused;
    if (all_paused) running.pause(0, false);
    if (recorder.partitions[0].messages.size() >= 500 && recorder.partitions[1].paused) running.pause(1, false);
    if (recorder.partitions[1].messages.size() >= 500 && recorder.partitions[0].paused) running.pause(0, false);
    return all_delivered(recorder);
  }));
  recorder.message_hook = nullptr;
  running.linger();
  EXPECT_EQ(recorder.partitions[0].offsets(), appended[0]);
  EXPECT_EQ(recorder.partitions[1].offsets(), appended[1]);
}

TEST_P(SourceSuite, O4_a_pause_that_ends_within_the_same_poll) {
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return recorder.partitions[0].end >= 0 && recorder.partitions[1].end >= 0; }));
  // Not polled meanwhile: a source that reads ahead now holds runs of both partitions in turn.
  for (int turn = 0; turn < 3; ++turn) {
    append(0, 30);
    append(1, 30);
    std::this_thread::sleep_for(200ms);
  }
  recorder.message_hook = [&](Recorder::Partition& partition, const Message&) {
    bool first = partition.assigned.partition.partition == 0;
    if (first && partition.messages.size() == 10) running.pause(0, true);
    if (!first && recorder.partitions[0].paused) running.pause(0, false);
    return true;
  };
  ASSERT_TRUE(running.until(
      [&] {
        if (recorder.partitions[0].paused) running.pause(0, false);  // the other one had its turn before
        return all_delivered(recorder);
      },
      1'000));
  running.linger();
  EXPECT_EQ(recorder.partitions[0].offsets(), appended[0]);
  EXPECT_EQ(recorder.partitions[1].offsets(), appended[1]);
}

TEST_P(SourceSuite, O5_the_next_assignment_finds_what_was_committed) {
  append(0, 10);
  append(1, 10);
  {
    Recorder recorder;
    Running running(*place, recorder);
    ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
    EXPECT_FALSE(recorder.partitions[0].assigned.committed) << "nothing was committed yet";
    std::vector<Commit> asynchronous = {commit_of(recorder.partitions[0], "store=a seq=1")};
    running.source->commit(asynchronous, /*wait=*/false);
    ASSERT_TRUE(running.until([&] { return !recorder.results.empty(); })) << "answered by a later poll";
    std::vector<Commit> synchronous = {commit_of(recorder.partitions[1], "store=b seq=2 ~!@#$%^&*()")};
    running.source->commit(synchronous, /*wait=*/true);
    ASSERT_EQ(recorder.results.size(), 2u) << "answered before commit() returned";
    for (const CommitResult& result : recorder.results) EXPECT_TRUE(result.ok) << result.error;
    EXPECT_EQ(recorder.results[0].next, 10);
    EXPECT_EQ(recorder.results[1].handle, recorder.partitions[1].handle);
    running.stop();
  }
  EXPECT_EQ(place->committed(0), std::pair(std::int64_t{10}, std::string("store=a seq=1")));
  Recorder recorder;
  Running again(*place, recorder);
  ASSERT_TRUE(again.until_assigned());
  EXPECT_EQ(recorder.partitions[0].assigned.committed, 10);
  EXPECT_EQ(recorder.partitions[0].assigned.metadata, "store=a seq=1");
  EXPECT_EQ(recorder.partitions[1].assigned.committed, 10);
  EXPECT_EQ(recorder.partitions[1].assigned.metadata, "store=b seq=2 ~!@#$%^&*()");
  EXPECT_EQ(recorder.partitions[1].assigned.log_begin, 0);
  again.linger();
  EXPECT_EQ(recorder.delivered, 0u);
}

TEST_P(SourceSuite, O5_a_commit_may_go_back_and_metadata_may_be_empty) {
  append(0, 10);
  {
    Recorder recorder;
    Running running(*place, recorder);
    ASSERT_TRUE(running.until([&] { return all_delivered(recorder) && recorder.holds_all(); }));
    Commit commit = commit_of(recorder.partitions[0], "first");
    running.source->commit({&commit, 1}, true);
    commit.next = 4;
    commit.metadata = "";
    running.source->commit({&commit, 1}, true);
    ASSERT_EQ(recorder.results.size(), 2u);
    EXPECT_TRUE(recorder.results[1].ok);
    running.stop();
  }
  Recorder recorder;
  Running again(*place, recorder);
  ASSERT_TRUE(again.until([&] { return recorder.partitions[0].messages.size() >= 6; }));
  EXPECT_EQ(recorder.partitions[0].assigned.metadata, "");
  EXPECT_EQ(recorder.partitions[0].offsets(), std::vector(appended[0].begin() + 4, appended[0].end()));
}

TEST_P(SourceSuite, O6_a_commit_for_an_earlier_assignment_does_nothing) {
  append(0, 10);
  place->commit(0, 3, "of before");
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until_assigned());
  for (bool wait : {false, true}) {
    recorder.results.clear();
    Commit stale = commit_of(recorder.partitions[0], "stale");
    stale.handle.epoch -= 1;
    stale.next = 9;
    running.source->commit({&stale, 1}, wait);
    ASSERT_TRUE(running.until([&] { return !recorder.results.empty(); }));
    EXPECT_FALSE(recorder.results[0].ok);
    EXPECT_TRUE(recorder.results[0].retriable);
    EXPECT_EQ(recorder.results[0].handle, stale.handle);
  }
  EXPECT_EQ(place->committed(0), std::pair(std::int64_t{3}, std::string("of before")));
}

TEST_P(SourceSuite, O6_a_revoked_handle_is_an_earlier_assignment) {
  append(0, 10);
  append(1, 10);
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return all_delivered(recorder); }));
  std::vector<Commit> stale = {commit_of(recorder.partitions[0], "stale"), commit_of(recorder.partitions[1], "stale")};
  if (!place->begin_take_away(*running.source)) GTEST_SKIP() << "this source keeps its partitions until it stops";
  ASSERT_TRUE(running.until([&] { return recorder.revoked > 0; }));
  running.linger();
  std::erase_if(stale, [&](const Commit& commit) {
    const Recorder::Partition& now = recorder.partitions[commit.partition.partition];
    return now.held && now.handle == commit.handle;
  });
  ASSERT_FALSE(stale.empty());
  running.source->commit(stale, true);
  ASSERT_EQ(recorder.results.size(), stale.size());
  for (const CommitResult& result : recorder.results) EXPECT_TRUE(!result.ok && result.retriable) << result.error;
  for (const Commit& commit : stale) EXPECT_FALSE(place->committed(commit.partition.partition));
}

TEST_P(SourceSuite, O7_after_stop_another_one_gets_the_partitions_at_once) {
  append(0, 5);
  Recorder first;
  Running running(*place, first);
  ASSERT_TRUE(running.until_assigned());
  running.stop();
  auto stopped = std::chrono::steady_clock::now();
  Recorder second;
  Running other(*place, second);
  ASSERT_TRUE(other.until_assigned());
  EXPECT_LT(std::chrono::steady_clock::now() - stopped, 5s);
  ASSERT_TRUE(other.until([&] { return all_delivered(second); }));
}

TEST_P(SourceSuite, what_others_have_committed_is_told_at_the_start_and_later) {
  append(0, 10);
  append(1, 10);
  place->commit(0, 4, "store=other seq=7");
  Recorder recorder;
  auto told = [&](std::int32_t partition, std::int64_t next, const std::string& metadata) {
    return std::any_of(recorder.group_commits.begin(), recorder.group_commits.end(), [&](const auto& commit) {
      return commit.partition == PartitionRef{place->topic(), partition} && commit.next == next &&
             commit.metadata == metadata;
    });
  };
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return told(0, 4, "store=other seq=7"); }));
  ASSERT_TRUE(running.until_assigned());
  Commit commit = commit_of(recorder.partitions[1], "store=mine seq=1");
  commit.next = 2;
  running.source->commit({&commit, 1}, false);
  EXPECT_TRUE(running.until([&] { return told(1, 2, "store=mine seq=1"); }));
}

TEST_P(SourceSuite, wake_ends_a_poll_also_if_it_came_just_before) {
  Recorder recorder;
  Running running(*place, recorder);
  ASSERT_TRUE(running.until([&] { return recorder.partitions[0].end >= 0 && recorder.partitions[1].end >= 0; }));
  running.linger();
  auto quick = [&] {
    auto begin = std::chrono::steady_clock::now();
    running.source->poll(900ms, 100);
    return std::chrono::steady_clock::now() - begin < 400ms;
  };
  EXPECT_FALSE(quick()) << "nothing came and nobody woke it";
  running.source->wake();
  EXPECT_TRUE(quick());
  std::thread waker([&] {
    std::this_thread::sleep_for(100ms);
    running.source->wake();
  });
  EXPECT_TRUE(quick());
  waker.join();
}

}  // namespace idem::conformance
