// Names shared by the test support for Kafka.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace idem::test {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
};

// An offset committed to a group: the next one to read, and the text the committer put beside it.
struct CommittedOffset {
  std::int64_t offset = 0;
  std::string metadata = {};

  auto operator<=>(const CommittedOffset&) const = default;
};

}  // namespace idem::test
