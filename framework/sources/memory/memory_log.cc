#include "sources/memory/memory_log.h"

#include <stdexcept>

namespace idem {
namespace {

MemoryPartition& at(std::vector<MemoryPartition>& partitions, std::int32_t number) {
  if (number < 0 || static_cast<std::size_t>(number) >= partitions.size())
    throw std::out_of_range("MemoryLog has no partition " + std::to_string(number));
  return partitions[static_cast<std::size_t>(number)];
}

}  // namespace

MemoryLog::MemoryLog(std::string topic, std::int32_t partitions) {
  if (partitions < 1) throw std::invalid_argument("MemoryLog needs at least one partition");
  impl_ = std::make_shared<Impl>(std::move(topic), partitions);
}

MemoryLog::~MemoryLog() = default;

std::int64_t MemoryLog::append(std::int32_t number, Entry entry) {
  MemoryPartition& partition = at(impl_->partitions, number);
  std::int64_t offset;
  {
    std::lock_guard lock(partition.writing);
    if (partition.used == partition.last->slots.size()) {
      partition.last->next = std::make_unique<MemoryPartition::Block>();
      partition.last = partition.last->next.get();
      partition.used = 0;
    }
    MemoryPartition::Slot& slot = partition.last->slots[partition.used++];
    offset = slot.offset = partition.end.load(std::memory_order_relaxed);
    slot.entry = std::move(entry);
    slot.headers.reserve(slot.entry.headers.size());
    for (const auto& [name, value] : slot.entry.headers) slot.headers.push_back({name, value});
    partition.count.fetch_add(1, std::memory_order_release);
    partition.end.store(offset + 1);
  }
  impl_->changed();
  return offset;
}

void MemoryLog::skip(std::int32_t number, std::int64_t offsets) {
  MemoryPartition& partition = at(impl_->partitions, number);
  {
    std::lock_guard lock(partition.writing);
    partition.end.fetch_add(offsets);
  }
  impl_->changed();
}

std::int64_t MemoryLog::end(std::int32_t number) const {
  return at(impl_->partitions, number).end.load();
}

std::optional<std::pair<std::int64_t, std::string>> MemoryLog::committed(std::int32_t number) const {
  at(impl_->partitions, number);
  std::lock_guard lock(impl_->committing);
  const auto& committed = impl_->committed[static_cast<std::size_t>(number)];
  if (!committed) return std::nullopt;
  return std::pair(committed->next, committed->metadata);
}

void MemoryLog::commit(std::int32_t number, std::int64_t next, std::string metadata) {
  at(impl_->partitions, number);
  std::lock_guard lock(impl_->committing);
  impl_->committed[static_cast<std::size_t>(number)] = {next, std::move(metadata)};
  impl_->commits.fetch_add(1);
}

}  // namespace idem
