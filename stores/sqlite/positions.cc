#include "sqlite/positions.h"

#include <algorithm>
#include <utility>

namespace idem::sqlite {

Positions::Positions(Connection& connection, std::int64_t consumer)
    : consumer_(consumer),
      read_(connection,
            "SELECT progress, origin FROM idem_partition WHERE consumer = ? AND topic = ? AND partition = ?"),
      write_(connection,
             "INSERT INTO idem_partition (consumer, topic, partition, progress, origin) VALUES (?, ?, ?, ?, ?) "
             "ON CONFLICT DO UPDATE SET progress = excluded.progress, origin = excluded.origin") {}

Ledger::Opened Positions::open(const PartitionRef& ref) {
  for (std::uint32_t slot = 0; slot < partitions_.size(); ++slot)
    if (at(slot).ref == ref) return {slot, at(slot).durable, at(slot).origin};
  const std::uint32_t slot = load(ref);
  return {slot, at(slot).durable, at(slot).origin};
}

std::uint32_t Positions::load(const PartitionRef& ref) {
  Partition partition{ref, {}, {}, {}, false};
  auto rows = read_.rows(consumer_, ref.topic, ref.partition);
  if (rows.next()) {
    partition.durable = Progress::decode(rows.text(0));
    partition.origin = rows.text(1);
  }
  partition.current = partition.durable;
  partitions_.push_back(std::move(partition));
  return static_cast<std::uint32_t>(partitions_.size() - 1);
}

Positions::Partition& Positions::touch(std::uint32_t slot) {
  Partition& partition = partitions_.at(slot);
  if (!std::exchange(partition.touched, true)) touched_.push_back(slot);
  return partition;
}

bool Positions::done(std::uint32_t slot, std::int64_t offset) const {
  return at(slot).current.contains(offset) || std::any_of(loose_.begin(), loose_.end(), [&](const Finished& f) {
           return f.slot == slot && f.offset == offset;
         });
}

void Positions::finish(const Record& record) {
  loose_.push_back({record.partition, record.from, record.message->offset, record.print});
}

void Positions::keep() {
  for (const Finished& f : loose_) touch(f.slot).current.finish(f.from, f.offset, f.print);
  loose_.clear();
}

void Positions::skip(std::uint32_t slot, std::int64_t from, std::int64_t to) { touch(slot).current.skip(from, to); }

void Positions::write_reset(std::uint32_t slot, const Progress& progress, std::string_view origin) {
  write(at(slot), progress, origin);
}

void Positions::was_reset(std::uint32_t slot, const Progress& progress, std::string_view origin) {
  Partition& partition = partitions_.at(slot);
  partition.durable = partition.current = progress;
  partition.origin = origin;
}

void Positions::write(const Partition& partition, const Progress& progress, std::string_view origin) {
  const std::string bytes = progress.encode();
  write_.run(consumer_, partition.ref.topic, partition.ref.partition, Blob{bytes}, origin);
}

void Positions::write() {
  for (const std::uint32_t slot : touched_) write(at(slot), at(slot).current, at(slot).origin);
}

void Positions::committed() noexcept {
  for (const std::uint32_t slot : touched_) {
    partitions_[slot].durable = partitions_[slot].current;
    partitions_[slot].touched = false;
  }
  touched_.clear();
}

void Positions::lost() noexcept {
  loose_.clear();
  for (const std::uint32_t slot : touched_) {
    partitions_[slot].current = partitions_[slot].durable;
    partitions_[slot].touched = false;
  }
  touched_.clear();
}

}  // namespace idem::sqlite
