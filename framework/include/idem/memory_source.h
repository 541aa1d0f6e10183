// A source in memory, for tests and benchmarks: a log with partitions, a group's committed offsets, and what real
// brokers do to a consumer (revoke, lose, fail a commit) at the caller's word.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <idem/source.h>

namespace idem {

/// The log that MemorySources read: outlives them as a broker outlives its clients. Thread-safe.
class MemoryLog {
 public:
  struct Entry {
    std::optional<std::string> key, payload;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    std::optional<Timestamp> timestamp;
  };

  explicit MemoryLog(std::string topic, std::int32_t partitions = 1);
  ~MemoryLog();

  /// Appends; returns the offset.
  std::int64_t append(std::int32_t partition, Entry entry);
  /// Makes a hole in the offsets, as compaction or a transaction marker does.
  void skip(std::int32_t partition, std::int64_t offsets = 1);
  std::int64_t end(std::int32_t partition) const;
  /// What the group has committed: next offset and metadata; nullopt: nothing.
  std::optional<std::pair<std::int64_t, std::string>> committed(std::int32_t partition) const;
  void commit(std::int32_t partition, std::int64_t next, std::string metadata);

 private:
  friend class MemorySource;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class MemorySource final : public Source {
 public:
  /// Reads all partitions of `log` (borrowed).
  explicit MemorySource(MemoryLog& log);
  ~MemorySource() override;

  // At a test's word, from any thread; happens inside the next poll().
  void revoke(std::int32_t partition);
  void lose(std::int32_t partition);
  void assign(std::int32_t partition);
  void fail_next_commits(int count);

  SourceTraits traits() const override;
  void start(SourceEvents& events, const SourceContext& context) override;
  void poll(std::chrono::milliseconds wait, std::size_t limit) override;
  void wake() override;
  void set_paused(PartitionHandle partition, bool paused) override;
  void seek(PartitionHandle before, const StartAt& start) override;
  void commit(std::span<const Commit> commits, bool wait) override;
  std::optional<std::int64_t> lag(PartitionHandle partition, std::int64_t next) const override;
  void stop() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace idem
