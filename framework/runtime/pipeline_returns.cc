// How messages that the store has kept come back into a pipeline: those put off for long, and those redriven.
#include <algorithm>
#include <utility>

#include "runtime/failpoint.h"
#include "runtime/log.h"
#include "runtime/pipeline.h"

namespace idem::runtime {

using namespace std::chrono_literals;
using core::Partition;

namespace {

// Of a partition, whole and in memory. What the broker sends has half of the budget at least.
constexpr std::size_t most_in_hand = 256;
constexpr std::size_t most_read_at_once = 64;
constexpr auto pause_if_store_is_busy = 500ms;

Message view_of(const ReturningMessage& kept, std::vector<Header>& headers) {
  headers.clear();
  for (const auto& [name, value] : kept.headers) headers.push_back({name, value});
  Message message;
  message.topic = kept.partition.topic;
  message.partition = kept.partition.partition;
  message.offset = kept.offset;
  message.key = kept.key;
  message.payload = kept.payload;
  message.headers = headers;
  message.timestamp = kept.timestamp;
  return message;
}

}  // namespace

// It comes back to its own partition, and only while that is read here: then nobody else can have it, it runs in its
// lane, and it shares the budget.
void Pipeline::take_returning() {
  if (!parts_.store.delays || leaving_ || ended_) return;
  const Timestamp now = parts_.clock.wall();
  const std::uint64_t changes = parts_.ledger.returning_changes();
  const bool ask_all = std::exchange(returning_changes_, changes) != changes;
  for (Partition& p : core_.partitions()) {
    if (ask_all) p.next_return = Timestamp::min();
    if (p.next_return && *p.next_return <= now) take_returning(p, now);
  }
}

// How many more of the partition; nothing until half of those in hand are through, for each question costs.
std::size_t Pipeline::room_to_return(const Partition& p) const {
  const std::size_t most = std::clamp<std::size_t>(parts_.options.budget.messages / 2, 1, most_in_hand);
  if (!p.assigned || !p.dispatching || p.returning > most / 2 || !core_.room_in_bytes()) return 0;
  return std::min({most - p.returning, core_.room(), most_read_at_once});
}

void Pipeline::take_returning(Partition& p, Timestamp now) {
  while (const std::size_t limit = room_to_return(p)) {
    Ledger::Returning found;
    try {
      found = parts_.ledger.returning(p.ref, now, limit, [this](auto number) { return core_.has_returning(number); });
    } catch (const StoreError& e) {
      if (!e.transient()) throw;
      p.next_return = now + pause_if_store_is_busy;
      return;
    }
    for (const ReturningMessage& kept : found.messages) take_back(p, kept);
    p.next_return = found.next_due;
    if (found.messages.size() < limit) return;
  }
}

void Pipeline::take_back(Partition& p, const ReturningMessage& kept) {
  core::Delivery* const delivery = core_.receive_returning(p.handle(), view_of(kept, headers_), kept.number);
  delivery->attempts = kept.attempts;
  delivery->message.attempt = kept.attempts + 1;
  delivery->maybe_called = kept.maybe_called;
  identify(*delivery, kept.id);
  (void)IDEM_FAILPOINT("io.returned");
  (void)core_.enqueue(delivery);
}

std::optional<std::chrono::milliseconds> Pipeline::time_to_next_return() {
  if (!parts_.store.delays || leaving_) return std::nullopt;
  std::optional<Timestamp> next;
  for (const Partition& p : core_.partitions())
    if (p.next_return && room_to_return(p) > 0) next = std::min(next.value_or(*p.next_return), *p.next_return);
  if (!next) return std::nullopt;
  const Timestamp now = parts_.clock.wall();
  return *next <= now ? 0ms : *next - now;
}

}  // namespace idem::runtime
