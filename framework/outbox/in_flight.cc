#include "outbox/in_flight.h"

#include <utility>

namespace idem::outbox {

namespace {

/// What a row costs beside its texts.
constexpr std::size_t overhead = 256;

std::size_t size_of(const OutboxTable::Row& row) { return overhead + row.message.size(); }

}  // namespace

void InFlight::add(OutboxTable::Row row) {
  bytes_ += size_of(row);
  const std::int64_t number = row.number;
  const auto at = rows_.emplace_hint(rows_.end(), number, Held{std::move(row)});
  if (next_ == rows_.end()) next_ = at;
}

const OutboxTable::Row* InFlight::next() {
  if (has_failed() || next_ == rows_.end()) return nullptr;
  Held& held = next_->second;
  ++next_;
  held.state = State::sent;
  ++sent_;
  return &held.row;
}

bool InFlight::ended(std::int64_t number) {
  const auto at = rows_.find(number);
  if (at == rows_.end()) return false;
  if (at->second.state == State::sent) --sent_;
  if (at->second.state == State::failed) --failed_;
  if (next_ == at) ++next_;
  bytes_ -= size_of(at->second.row);
  rows_.erase(at);
  return true;
}

void InFlight::failed(std::int64_t number) {
  const auto at = rows_.find(number);
  if (at == rows_.end() || at->second.state != State::sent) return;
  at->second.state = State::failed;
  --sent_;
  ++failed_;
}

std::size_t InFlight::again() {
  for (auto& [number, held] : rows_) held.state = State::waiting;
  next_ = rows_.begin();
  sent_ = 0;
  return std::exchange(failed_, 0);
}

}  // namespace idem::outbox
