#include "sqlite/id_index.h"

#include <algorithm>

#include "runtime/failpoint.h"

namespace idem::sqlite {
namespace {

// A run is written twice as fast as its successor fills up, garbage is erased faster than a tail grows.
constexpr std::size_t sealed_for_each_added = 2;
constexpr std::size_t least_sealed = 256;
constexpr std::int64_t rows_erased = 4;

// The later one counts: an id that was forgotten by hand is there twice.
void put_over(IdSet& set, const IdEntry& entry) { *set.insert(entry.key, entry.fingerprint).first = entry.fingerprint; }

}  // namespace

// --- A generation ---------------------------------------------------------------------------------------------------

IdIndex::Generation::Generation(Connection& connection, std::int64_t n) : number(n), rows(connection, n) { load(); }

void IdIndex::Generation::load() {
  std::int64_t tail_begin = 0;
  std::vector<std::int64_t> known;
  for (IdRows::SealedRun& sealed : rows.sealed_runs()) {
    tail_begin = std::max(tail_begin, sealed.tail_end);
    known.push_back(sealed.run);
    runs.push_front({std::move(sealed), 0});
  }
  tail_end = tail_begin;
  rows.each_in_tail(tail_begin, [&](std::int64_t row, const IdEntry& entry) {
    put_over(set, entry);
    tail_end = row + 1;
  });
  // What a crash has left: the tail of a run that counts, buckets of a run that never did.
  last_run = rows.last_run();
  garbage.push_back(rows.rows_between(0, tail_begin));
  for (std::int64_t run = 1; run <= last_run; ++run)
    if (std::find(known.begin(), known.end(), run) == known.end())
      garbage.push_back(rows.rows_between(IdRows::number(run, 0), IdRows::number(run + 1, 0)));
  std::erase_if(garbage, [](const RowRange& range) { return range.empty(); });
}

void IdIndex::Generation::prefetch(const IdKey& key) const {
  set.prefetch(key);
  if (seal) seal->ids().prefetch(key);
  for (const Run& run : runs) run.sealed.filter.prefetch(key);
}

// In memory, and in the runs that count since a moment after `since`.
std::optional<std::uint64_t> IdIndex::Generation::find(const IdKey& key, Moment since) {
  if (const std::uint64_t* fingerprint = set.find(key)) return *fingerprint;
  if (const std::uint64_t* fingerprint = seal ? seal->ids().find(key) : nullptr) return *fingerprint;
  for (const Run& run : runs) {
    if (run.since <= since || !run.sealed.filter.may_hold(key)) continue;
    const auto row = IdRows::number(run.sealed.run, bucket_of(key, run.sealed.buckets));
    if (const auto fingerprint = rows.find(row, key)) return fingerprint;
  }
  return std::nullopt;
}

// --- Looking up and adding ------------------------------------------------------------------------------------------

void IdIndex::find(std::span<const IdKey> keys, std::span<std::optional<std::uint64_t>> fingerprints) {
  const auto fetch = [&](std::size_t i) {
    for (const Generation& generation : generations_) generation.prefetch(keys[i]);
  };
  core::fetched_ahead(keys.size(), fetch, [&](std::size_t i) {
    if (const std::uint64_t* added = added_by_key_.find(keys[i])) fingerprints[i] = *added;
    for (auto g = generations_.begin(); g != generations_.end() && !fingerprints[i]; ++g)
      fingerprints[i] = g->find(keys[i], before_all);
  });
}

bool IdIndex::knows(const IdKey& key, Moment then) {
  if (added_by_key_.find(key) != nullptr) return true;
  return std::any_of(generations_.begin(), generations_.end(),
                     [&](Generation& generation) { return generation.find(key, then).has_value(); });
}

bool IdIndex::add(const IdKey& key, std::uint64_t fingerprint, Moment then) {
  if (knows(key, then)) return false;
  add_again(key, fingerprint);
  return true;
}

void IdIndex::add_again(const IdKey& key, std::uint64_t fingerprint) {
  added_by_key_.insert(key, fingerprint);
  added_.push_back({key, fingerprint});
}

void IdIndex::take_back() noexcept {
  for (; added_.size() > kept_; added_.pop_back()) added_by_key_.erase(added_.back().key);
}

// --- With the group -------------------------------------------------------------------------------------------------

// Whatever may need memory is done here, where an error loses the group; committed() only marks it.
void IdIndex::write() {
  finish_seals();
  begin_seal();
  if (!added_.empty()) {
    std::string ids;
    ids.reserve(added_.size() * bytes_per_id);
    for (const IdEntry& entry : added_) append_entry(ids, entry);
    Generation& newest = generations_.front();
    newest.set.reserve(newest.set.size() + added_.size());
    newest.rows.insert(newest.tail_end, ids);
    (void)IDEM_FAILPOINT("store.tail");
  }
  for (Generation& g : generations_) {
    if (g.seal) g.seal->write(g.rows, std::max(least_sealed, sealed_for_each_added * added_.size()));
    if (g.garbage.empty()) continue;
    g.erasing = {g.garbage.back().from, std::min(g.garbage.back().from + rows_erased, g.garbage.back().to)};
    g.rows.erase(g.erasing);
    (void)IDEM_FAILPOINT("store.erase");
  }
}

void IdIndex::committed() noexcept {
  if (!added_.empty()) {
    Generation& newest = generations_.front();
    for (const IdEntry& entry : added_) put_over(newest.set, entry);
    ++newest.tail_end;
  }
  for (Generation& g : generations_) {
    if (g.seal) g.seal->committed();
    if (g.erasing.empty()) continue;
    g.garbage.back().from = g.erasing.to;
    if (g.garbage.back().empty()) g.garbage.pop_back();
    g.erasing = {};
  }
  forget_added();
}

void IdIndex::lost() noexcept {
  for (Generation& g : generations_) {
    if (g.seal) g.seal->lost();
    g.erasing = {};
  }
  forget_added();
}

void IdIndex::forget_added() noexcept {
  for (const IdEntry& added : added_) added_by_key_.erase(added.key);
  added_.clear();
  kept_ = 0;
}

// --- Sealing --------------------------------------------------------------------------------------------------------

// One at a time. A generation that takes no more ids gives its set back too.
void IdIndex::begin_seal() {
  if (std::any_of(generations_.begin(), generations_.end(), [](const Generation& g) { return g.seal != nullptr; }))
    return;
  for (Generation& g : generations_) {
    const bool full = g.set.size() >= (&g == &generations_.front() ? set_size_ : 1);
    if (!full) continue;
    g.seal = std::make_unique<IdSeal>(g.set, ++g.last_run, g.tail_end);
    return;
  }
}

void IdIndex::finish_seals() {
  for (Generation& g : generations_) {
    if (!g.seal || !g.seal->complete()) continue;
    const std::int64_t tail_begin = g.runs.empty() ? 0 : g.runs.front().sealed.tail_end;
    g.runs.push_front({g.seal->run(), ++now_});
    g.seal.reset();
    g.garbage.push_back({tail_begin, g.runs.front().sealed.tail_end});
  }
}

// --- Generations ----------------------------------------------------------------------------------------------------

void IdIndex::created(std::int64_t generation) { generations_.emplace_front(connection_, generation); }

void IdIndex::dropped(std::int64_t generation) {
  generations_.remove_if([&](const Generation& g) { return g.number == generation; });
}

}  // namespace idem::sqlite
