#include "sqlite/id_index.h"

#include <algorithm>

#include "sqlite/key_bytes.h"

namespace idem::sqlite {
namespace {

std::string table(std::int64_t generation) { return "idem_ids_" + std::to_string(generation); }

}  // namespace

IdIndex::Generation::Generation(Connection& connection, std::int64_t n)
    : number(n),
      find(connection, "SELECT fingerprint, state FROM " + table(n) + " WHERE key = ?"),
      add(connection, "INSERT INTO " + table(n) + " VALUES (?, ?, ?)") {
  load_filter(connection);
}

void IdIndex::Generation::load_filter(Connection& connection) {
  Statement keys(connection, "SELECT key FROM " + table(number));
  for (auto rows = keys.rows(); rows.next();) filter.add(key_of(rows.text(0)));
}

void IdIndex::find(std::span<const IdKey> keys, std::span<std::optional<Remembered>> found) {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (const Remembered* added = added_by_key_.find(keys[i])) found[i] = *added;
  // Newest first: a copy nearly always comes soon after its original.
  for (auto generation = generations_.rbegin(); generation != generations_.rend(); ++generation)
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (!found[i]) found[i] = find_in(*generation, keys[i]);
}

std::optional<Remembered> IdIndex::find_in(Generation& generation, const IdKey& key) {
  if (!generation.filter.may_hold(key)) return std::nullopt;
  const KeyBytes bytes(key);
  auto rows = generation.find.rows(bytes.blob());
  if (!rows.next()) return std::nullopt;
  return Remembered{static_cast<std::uint64_t>(rows.integer(0)), static_cast<IdState>(rows.integer(1))};
}

bool IdIndex::knows(const IdKey& key, std::int64_t newest_then) {
  for (Generation& g : generations_)
    if (g.number >= newest_then && find_in(g, key)) return true;
  return added_by_key_.find(key) != nullptr;
}

bool IdIndex::add(const IdKey& key, const Remembered& id, std::int64_t newest_then) {
  if (knows(key, newest_then)) return false;
  added_by_key_.insert(key, id);
  added_.push_back({key, id});
  return true;
}

void IdIndex::take_back() noexcept {
  for (; added_.size() > kept_; added_.pop_back()) added_by_key_.erase(added_.back().key);
}

// In the order of the table: neighbours share a page.
void IdIndex::write() {
  std::sort(added_.begin(), added_.end(), [](const Added& a, const Added& b) { return a.key < b.key; });
  for (const Added& added : added_) {
    const KeyBytes bytes(added.key);
    generations_.back().filter.add(added.key);
    generations_.back().add.run(bytes.blob(), added.id.fingerprint, static_cast<int>(added.id.state));
  }
}

void IdIndex::forget_added() noexcept {
  for (const Added& added : added_) added_by_key_.erase(added.key);
  added_.clear();
  kept_ = 0;
}

void IdIndex::create_table(std::int64_t generation) {
  connection_.exec("CREATE TABLE " + table(generation) +
                   " (key BLOB NOT NULL PRIMARY KEY, fingerprint INTEGER NOT NULL, state INTEGER NOT NULL)"
                   " STRICT, WITHOUT ROWID");
}

void IdIndex::drop_table(std::int64_t generation) { connection_.exec("DROP TABLE " + table(generation)); }

void IdIndex::created(std::int64_t generation) { generations_.emplace_back(connection_, generation); }

void IdIndex::dropped(std::int64_t generation) {
  auto it =
      std::find_if(generations_.begin(), generations_.end(), [&](const auto& g) { return g.number == generation; });
  if (it != generations_.end()) generations_.erase(it);
}

}  // namespace idem::sqlite
