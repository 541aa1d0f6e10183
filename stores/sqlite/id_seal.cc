#include "sqlite/id_seal.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/failpoint.h"

namespace idem::sqlite {
namespace {
constexpr std::size_t sorted_at_once = 4'096;  // in less time than it takes to start a thread and to come back
}

// Only here is the set emptied: when there is memory for the seal. Ids that are nowhere would be new ones.
IdSeal::IdSeal(IdSet& ids, std::int64_t run, std::int64_t tail_end) noexcept
    : ids_(std::exchange(ids, {})), run_(run), tail_end_(tail_end) {}

IdSeal::Sorted IdSeal::sort(const IdSet& ids, std::int64_t run, std::int64_t tail_end) {
  Sorted sorted{{run, buckets_for(ids.size()), tail_end, IdFilter(ids.size())}, {}};
  sorted.entries.reserve(ids.size());
  ids.for_each([&](const IdKey& key, std::uint64_t fingerprint) {
    sorted.entries.push_back({key, fingerprint});
    sorted.run.filter.add(key);
  });
  std::sort(sorted.entries.begin(), sorted.entries.end(),
            [](const IdEntry& a, const IdEntry& b) { return a.key < b.key; });
  return sorted;
}

// Started by the first write() and not before: who makes an IdSeal cannot have it fail.
bool IdSeal::ready() {
  if (sorted_) return true;
  // Without a thread to be had, and for a few ids, get() sorts.
  const auto how = ids_.size() <= sorted_at_once ? std::launch::deferred : std::launch::async | std::launch::deferred;
  if (!sorting_.valid()) sorting_ = std::async(how, [this] { return sort(ids_, run_, tail_end_); });
  if (sorting_.wait_for(std::chrono::seconds(0)) == std::future_status::timeout) return false;
  sorted_ = sorting_.get();
  return true;
}

void IdSeal::write(IdRows& rows, std::size_t ids) {
  if (!ready() || written_ > sorted_->run.buckets) return;
  std::string bytes;
  const auto& entries = sorted_->entries;
  auto entry = std::lower_bound(entries.begin(), entries.end(), written_, [&](const IdEntry& e, std::int64_t bucket) {
    return bucket_of(e.key, sorted_->run.buckets) < bucket;
  });
  for (std::size_t done = 0; written_ < sorted_->run.buckets && done < ids; ++written_) {
    bytes.clear();
    for (; entry != entries.end() && bucket_of(entry->key, sorted_->run.buckets) == written_; ++entry, ++done)
      append_entry(bytes, *entry);
    rows.insert(IdRows::number(run_, written_), bytes);
  }
  (void)IDEM_FAILPOINT("store.seal");
  if (written_ < sorted_->run.buckets) return;
  rows.seal(sorted_->run, entries.size());
  ++written_;
  (void)IDEM_FAILPOINT("store.sealed");
}

}  // namespace idem::sqlite
