#include "sqlite/claims.h"

#include "sqlite/key_bytes.h"

namespace idem::sqlite {

Claims::Claims(Connection& connection, std::int64_t consumer)
    : consumer_(consumer),
      insert_(connection, "INSERT INTO idem_claim (consumer, id_key, fingerprint) VALUES (?, ?, ?)"),
      delete_(connection, "DELETE FROM idem_claim WHERE consumer = ? AND id_key = ?") {
  Statement all(connection, "SELECT id_key, fingerprint FROM idem_claim WHERE consumer = ?");
  for (auto rows = all.rows(consumer); rows.next();)
    claims_.insert(key_of(rows.text(0)), static_cast<std::uint64_t>(rows.integer(1)));
}

std::optional<std::uint64_t> Claims::find(const IdKey& key) const {
  const std::uint64_t* fingerprint = claims_.find(key);
  return fingerprint ? std::optional(*fingerprint) : std::nullopt;
}

bool Claims::add(const IdKey& key, std::uint64_t fingerprint) {
  if (!claims_.insert(key, fingerprint).second) return false;
  changes_.push_back({key, fingerprint, true});
  return true;
}

void Claims::remove(const IdKey& key) {
  const auto fingerprint = find(key);
  if (!fingerprint) return;
  changes_.push_back({key, *fingerprint, false});
  claims_.erase(key);
}

void Claims::write() {
  for (const Change& change : changes_) {
    const KeyBytes key(change.key);
    if (change.added) insert_.run(consumer_, key.blob(), change.fingerprint);
    else delete_.run(consumer_, key.blob());
  }
}

void Claims::undo(std::size_t down_to) noexcept {
  for (; changes_.size() > down_to; changes_.pop_back()) {
    const Change& change = changes_.back();
    if (change.added) claims_.erase(change.key);
    else claims_.insert(change.key, change.fingerprint);
  }
}

void Claims::committed() noexcept {
  changes_.clear();
  kept_ = 0;
}

void Claims::lost() noexcept {
  undo(0);
  kept_ = 0;
}

}  // namespace idem::sqlite
