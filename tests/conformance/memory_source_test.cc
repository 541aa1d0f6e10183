#include <idem/memory_source.h>

#include "source_suite.h"

namespace idem::conformance {
namespace {

class MemoryPlace final : public SourcePlace {
 public:
  std::string topic() const override { return "log"; }
  std::unique_ptr<Source> make_source() override { return std::make_unique<MemorySource>(log_); }
  std::vector<std::int64_t> append(std::int32_t partition, const std::vector<Copy>& messages) override {
    std::vector<std::int64_t> offsets;
    for (const Copy& message : messages)
      offsets.push_back(log_.append(partition, {message.key, message.payload, message.headers, std::nullopt}));
    return offsets;
  }
  std::optional<std::pair<std::int64_t, std::string>> committed(std::int32_t partition) override {
    return log_.committed(partition);
  }
  void commit(std::int32_t partition, std::int64_t next, const std::string& metadata) override {
    log_.commit(partition, next, metadata);
  }
  bool begin_take_away(Source& running) override {
    dynamic_cast<MemorySource&>(running).revoke(1);
    return true;
  }

 private:
  MemoryLog log_{"log", partitions};
};

INSTANTIATE_TEST_SUITE_P(Sources, SourceSuite,
                         testing::Values(PlaceFactory{"memory", [] { return std::make_unique<MemoryPlace>(); }}),
                         place_name);

/// What brokers do to a consumer, at the test's word.
struct MemorySourceTest : testing::Test {
  MemorySourceTest() {
    recorder.source = &source;
    for (std::int32_t partition : {0, 1})
      for (int i = 0; i < 3; ++i) log.append(partition, {.payload = "x"});
    source.start(recorder, {});
  }
  ~MemorySourceTest() override { source.stop(); }
  void poll() { source.poll(0ms, 100); }
  Commit commit_of(std::int32_t partition) {
    const auto& mine = recorder.partitions[partition];
    return {mine.handle, mine.assigned.partition, mine.next, "by the test"};
  }

  MemoryLog log{"log", 2};
  MemorySource source{log};
  Recorder recorder;
};

TEST_F(MemorySourceTest, a_lost_partition_cannot_commit_and_comes_back_with_another_epoch) {
  poll();
  PartitionHandle before = recorder.partitions[1].handle;
  recorder.commit_on_revoke = true;
  source.lose(1);
  poll();
  EXPECT_EQ(recorder.lost, 1);
  EXPECT_FALSE(recorder.partitions[1].held);
  EXPECT_FALSE(log.committed(1));
  source.assign(1);
  poll();
  EXPECT_TRUE(recorder.partitions[1].held);
  EXPECT_NE(recorder.partitions[1].handle, before);
  EXPECT_EQ(recorder.partitions[1].offsets(), (std::vector<std::int64_t>{0, 1, 2})) << "again, nothing was committed";
}

TEST_F(MemorySourceTest, a_hole_is_no_message_and_the_end_is_behind_it) {
  log.skip(0, 4);
  log.append(0, {.payload = "after"});
  log.skip(0, 2);
  poll();
  EXPECT_EQ(recorder.partitions[0].offsets(), (std::vector<std::int64_t>{0, 1, 2, 7}));
  EXPECT_EQ(recorder.partitions[0].end, 10);
}

TEST_F(MemorySourceTest, commits_fail_as_often_as_told) {
  poll();
  source.fail_next_commits(2);
  for (bool ok : {false, false, true}) {
    Commit commit = commit_of(0);
    source.commit({&commit, 1}, /*wait=*/true);
    EXPECT_EQ(recorder.results.back().ok, ok);
    EXPECT_TRUE(recorder.results.back().retriable);
    EXPECT_EQ(log.committed(0).has_value(), ok);
  }
}

TEST_F(MemorySourceTest, an_append_ends_the_wait) {
  poll();
  poll();
  std::thread writer([&] {
    std::this_thread::sleep_for(50ms);
    log.append(0, {.payload = "late"});
  });
  auto begin = std::chrono::steady_clock::now();
  source.poll(10s, 100);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(recorder.partitions[0].messages.size(), 4u);
  writer.join();
}

TEST_F(MemorySourceTest, a_reader_and_a_writer_at_once_see_one_order) {
  constexpr int count = 20'000;
  std::thread writer([&] {
    for (int i = 0; i < count; ++i) log.append(0, {.payload = std::to_string(i)});
  });
  while (recorder.partitions[0].messages.size() < count + 3) source.poll(10ms, 1'000);
  writer.join();
  for (int i = 0; i < count; ++i) ASSERT_EQ(recorder.partitions[0].messages[i + 3].payload, std::to_string(i));
}

}  // namespace
}  // namespace idem::conformance
