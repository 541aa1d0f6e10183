#include <idem/outbox.h>

#include <mutex>
#include <stdexcept>

#include <idem/store.h>

#include "outbox/carrier.h"

namespace idem {
namespace {

using namespace std::chrono_literals;

void check(bool good, const char* member, const char* problem) {
  if (!good) throw std::invalid_argument(std::string("idem: RelayOptions::") + member + " " + problem);
}

OutboxTable& table_of(TransactionalStore& store) {
  if (OutboxTable* table = store.outbox()) return *table;
  throw std::invalid_argument("idem: the store " + store.traits().name + " has no outbox; use SqliteStore");
}

}  // namespace

struct Relay::Impl {
  Impl(TransactionalStore& store, RelayOptions o) : options(o), table(table_of(store)) {
    check(options.in_flight_messages >= 1, "in_flight_messages", "is 0: nothing could be sent");
    check(options.in_flight_bytes >= 1, "in_flight_bytes", "is 0: nothing could be sent");
    check(options.first_pause > 0ms, "first_pause", "must be longer than zero");
    check(options.longest_pause >= options.first_pause, "longest_pause", "must not be below first_pause");
    check(options.stop_timeout >= 0ms, "stop_timeout", "must not be negative");
  }

  const RelayOptions options;
  OutboxTable& table;
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<outbox::Carrier>> carriers;  // guarded by mutex
};

Relay::Relay(TransactionalStore& store, RelayOptions options) : impl_(std::make_unique<Impl>(store, options)) {}

Relay::~Relay() {
  const auto deadline = std::chrono::steady_clock::now() + impl_->options.stop_timeout;
  for (const auto& [name, carrier] : impl_->carriers) carrier->stop(deadline);  // all at once; then each is waited for
}

void Relay::add(const std::string& name, std::unique_ptr<Destination> destination) {
  if (name.empty()) throw std::invalid_argument("idem: Relay::add() needs a name for the destination");
  if (!destination) throw std::invalid_argument("idem: Relay::add(\"" + name + "\") got no destination");
  std::lock_guard lock(impl_->mutex);
  if (impl_->carriers.contains(name))
    throw std::logic_error("idem: the relay has a destination \"" + name + "\" already");
  impl_->carriers.emplace(name, std::make_unique<outbox::Carrier>(name, impl_->table, std::move(destination),
                                                                  impl_->options));
}

bool Relay::flush(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::lock_guard lock(impl_->mutex);
  bool all = true;
  for (const auto& [name, carrier] : impl_->carriers) all &= carrier->wait_until_idle(deadline);
  return all;
}

Relay::Counters Relay::counters() const {
  std::lock_guard lock(impl_->mutex);
  Counters sum;
  for (const auto& [name, carrier] : impl_->carriers) {
    const Counters of_one = carrier->counters();
    sum.sent += of_one.sent;
    sum.sent_again += of_one.sent_again;
    sum.parked += of_one.parked;
    sum.in_flight += of_one.in_flight;
  }
  return sum;
}

}  // namespace idem
