// A runtime that only writes down what a source tells it: for the source suite and other tests of sources.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <idem/source.h>

namespace idem::conformance {

/// A message that owns its bytes.
struct Copy {
  std::int64_t offset = -1;
  std::optional<std::string> key = {}, payload = {};
  std::vector<std::pair<std::string, std::optional<std::string>>> headers = {};
};

/// A runtime that only writes down what it is told, and complains when it is told something against the
/// rules.
class Recorder final : public SourceEvents {
 public:
  struct Partition {
    PartitionHandle handle;
    AssignedPartition assigned;
    bool held = false;
    bool paused = false;  ///< kept by the test
    std::vector<Copy> messages;
    std::int64_t next = -1;  ///< after the last message or end
    std::int64_t end = -1;
    std::vector<std::int64_t> offsets() const {
      std::vector<std::int64_t> all;
      for (const Copy& message : messages) all.push_back(message.offset);
      return all;
    }
  };
  struct GroupCommit {
    PartitionRef partition;
    std::int64_t next;
    std::string metadata;
  };

  Source* source = nullptr;
  std::size_t expected_partitions = 2;
  bool commit_on_revoke = false;
  std::function<void()> while_revoked;  ///< may be empty
  std::function<StartAt(const AssignedPartition&)> start = [](const AssignedPartition& assigned) {
    return StartAt{{}, true, assigned.committed.value_or(assigned.initial)};
  };
  std::function<bool(Partition&, const Message&)> message_hook;

  std::map<std::int32_t, Partition> partitions;
  std::vector<CommitResult> results;
  std::vector<GroupCommit> group_commits;
  std::vector<std::string> fatals, warnings;
  int revoked = 0, lost = 0;
  std::set<std::int32_t> given_up;
  std::size_t delivered = 0;

  bool holds_all() const {
    return partitions.size() == expected_partitions &&
           std::all_of(partitions.begin(), partitions.end(), [](const auto& p) { return p.second.held; });
  }

  std::vector<StartAt> on_assigned(std::span<const AssignedPartition> assigned) override {
    std::vector<StartAt> starts;
    for (const AssignedPartition& one : assigned) {
      Partition& partition = partitions[one.partition.partition];
      EXPECT_FALSE(partition.held) << "assigned twice";
      StartAt answer = start(one);
      answer.handle = {static_cast<std::uint32_t>(one.partition.partition), ++epoch_};
      partition = {answer.handle, one, true, false, {}, answer.offset, -1};
      starts.push_back(answer);
    }
    return starts;
  }
  void on_revoked(std::span<const PartitionHandle> handles) override {
    std::vector<Commit> commits;
    for (PartitionHandle handle : handles) {
      Partition& partition = held(handle);
      commits.push_back({handle, partition.assigned.partition, partition.next, "on revoke"});
    }
    if (commit_on_revoke) source->commit(commits, /*wait=*/true);
    if (while_revoked) while_revoked();
    for (PartitionHandle handle : handles) {
      held(handle).held = false;
      given_up.insert(static_cast<std::int32_t>(handle.index));
    }
    ++revoked;
  }
  void on_lost(std::span<const PartitionHandle> handles) override {
    for (PartitionHandle handle : handles) held(handle).held = false;
    ++lost;
  }
  bool on_message(PartitionHandle handle, const Message& message) override {
    Partition& partition = held(handle);  // O2
    EXPECT_FALSE(partition.paused) << "O3: a paused partition delivered offset " << message.offset;
    EXPECT_EQ(message.topic, partition.assigned.partition.topic);
    EXPECT_EQ(message.partition, partition.assigned.partition.partition);
    EXPECT_GE(message.offset, partition.next) << "O1: out of order, twice, or before StartAt::offset";
    Copy copy{message.offset, own(message.key), own(message.payload), {}};
    for (const Header& header : message.headers) copy.headers.emplace_back(header.name, own(header.value));
    partition.messages.push_back(std::move(copy));
    partition.next = message.offset + 1;
    ++delivered;
    return message_hook ? message_hook(partition, message) : true;
  }
  void on_end(PartitionHandle handle, std::int64_t next) override {
    Partition& partition = held(handle);
    EXPECT_GE(next, partition.next);
    partition.next = partition.end = next;
  }
  void on_committed(std::span<const CommitResult> answers) override {
    results.insert(results.end(), answers.begin(), answers.end());
  }
  void on_group_commit(const PartitionRef& partition, std::int64_t next, std::string_view metadata) override {
    group_commits.push_back({partition, next, std::string(metadata)});
  }
  void on_fatal(std::string_view what) override { fatals.emplace_back(what); }
  void on_warning(std::string_view what) override { warnings.emplace_back(what); }

 private:
  static std::optional<std::string> own(std::optional<std::string_view> bytes) {
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  }
  Partition& held(PartitionHandle handle) {
    Partition& partition = partitions[static_cast<std::int32_t>(handle.index)];
    EXPECT_TRUE(partition.held && partition.handle == handle)
        << "O2: told about a partition that is not assigned";
    return partition;
  }
  std::uint32_t epoch_ = 0;
};

}  // namespace idem::conformance
