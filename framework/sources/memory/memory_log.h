// What MemoryLog and MemorySource share: the log itself. Private to the two.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <idem/memory_source.h>

namespace idem {

/// One partition. Entries lie in blocks that never move, so a reader needs no lock and its views stay valid:
/// a writer fills the slot first and publishes `count` and `end` after it.
struct MemoryPartition {
  struct Slot {
    std::int64_t offset = 0;
    MemoryLog::Entry entry;
    std::vector<Header> headers;  ///< views into `entry`
  };
  struct Block {
    std::array<Slot, 1024> slots;
    std::unique_ptr<Block> next;  ///< set before the first of its slots is published
  };
  /// Where a reader stands: the slot after the last one it has read.
  struct Cursor {
    Block* block = nullptr;
    std::size_t slot = 0;    ///< in `block`; may be one past its last
    std::size_t number = 0;  ///< slots passed since the beginning of the log
  };

  MemoryPartition() : first(std::make_unique<Block>()), last(first.get()) {}
  ~MemoryPartition() {
    while (first)
      first = std::move(first->next);  // one by one: a chain of a million blocks would overflow the stack
  }

  /// The next slot, or nullptr at the end.
  const Slot* next(Cursor& cursor) const {
    if (cursor.number == count.load(std::memory_order_acquire)) return nullptr;
    if (cursor.slot == cursor.block->slots.size()) cursor = {cursor.block->next.get(), 0, cursor.number};
    ++cursor.number;
    return &cursor.block->slots[cursor.slot++];
  }
  /// Before the first slot at or after `offset`.
  Cursor seek(std::int64_t offset) const {
    Cursor cursor{first.get(), 0, 0};
    for (Cursor ahead = cursor; const Slot* slot = next(ahead); cursor = ahead)
      if (slot->offset >= offset) break;
    return cursor;
  }

  std::mutex writing;
  std::unique_ptr<Block> first;
  Block* last;
  std::size_t used = 0;  ///< slots of `last`
  std::atomic<std::size_t> count{0};
  std::atomic<std::int64_t> end{0};
};

struct MemoryLog::Impl {
  struct Committed {
    std::int64_t next;
    std::string metadata;
  };

  Impl(std::string name, std::int32_t count) : topic(std::move(name)), partitions(count), committed(count) {}

  /// Wakes the readers that sleep. A writer pays for it only if there is one.
  void changed() {
    if (sleepers.load() == 0) return;
    std::lock_guard lock(sleeping);
    news.notify_all();
  }

  const std::string topic;
  std::vector<MemoryPartition> partitions;

  std::mutex committing;
  std::vector<std::optional<Committed>> committed;
  std::atomic<std::uint64_t> commits{0};

  std::mutex sleeping;
  std::condition_variable news;
  std::atomic<int> sleepers{0};
};

}  // namespace idem
