#include "sqlite/claims.h"

#include "sqlite/key_bytes.h"

namespace idem::sqlite {

Claims::Claims(Connection& connection, std::int64_t consumer)
    : consumer_(consumer),
      insert_(connection, "INSERT INTO idem_claim (consumer, id_key, fingerprint) VALUES (?, ?, ?)"),
      delete_(connection, "DELETE FROM idem_claim WHERE consumer = ? AND id_key = ?") {
  Statement all(connection, "SELECT id_key, fingerprint, forgotten FROM idem_claim WHERE consumer = ?");
  for (auto rows = all.rows(consumer); rows.next();)
    claims_.insert(key_of(rows.text(0)), {static_cast<std::uint64_t>(rows.integer(1)), rows.integer(2) != 0});
}

std::optional<std::uint64_t> Claims::find(const IdKey& key) const {
  const Claim* claim = claims_.find(key);
  return claim ? std::optional(claim->fingerprint) : std::nullopt;
}

bool Claims::forgotten(const IdKey& key) const {
  const Claim* claim = claims_.find(key);
  return claim && claim->forgotten;
}

bool Claims::add(const IdKey& key, std::uint64_t fingerprint) {
  const Claim claim{fingerprint, false};
  if (!claims_.insert(key, claim).second) return false;
  changes_.push_back({key, claim, true});
  return true;
}

void Claims::remove(const IdKey& key) {
  const Claim* claim = claims_.find(key);
  if (!claim) return;
  changes_.push_back({key, *claim, false});
  claims_.erase(key);
}

void Claims::write() {
  for (const Change& change : changes_) {
    const KeyBytes key(change.key);
    if (change.added) insert_.run(consumer_, key.blob(), change.claim.fingerprint);
    else delete_.run(consumer_, key.blob());
  }
}

void Claims::undo(std::size_t down_to) noexcept {
  for (; changes_.size() > down_to; changes_.pop_back()) {
    const Change& change = changes_.back();
    if (change.added) claims_.erase(change.key);
    else claims_.insert(change.key, change.claim);
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
