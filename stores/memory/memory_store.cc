// The reference store: what the rules of store.h mean, without a database. Every record is a group of its own and
// settles at once; nothing ever fails. A handler's effect is a table of text, changed when its record is.
#include <idem/memory_store.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <stdexcept>
#include <utility>

#include "memory_consumer.h"

namespace idem {
namespace {

using memory::Consumer;
using Table = std::map<std::string, std::string>;

/// What the objects of one store share.
struct Shared {
  std::mutex turn;  // the write turn: guards everything below
  Table table;
  std::map<std::string, std::shared_ptr<Consumer>> consumers;
  std::map<std::string, std::weak_ptr<Ledger>> ledgers;
  HashKey hash_key{};
};

class MemoryTransaction final : public Transaction {
 public:
  MemoryTransaction(std::mutex& turn, Table& table) : turn_(turn, std::defer_lock), table_(table) {}

  void open() { open_ = true; }
  void put(std::string_view key, std::string_view value) { touch()[std::string(key)] = value; }
  std::optional<std::string> get(std::string_view key) {
    touch();
    for (const Table* t : {&written_, &table_})
      if (auto it = t->find(std::string(key)); it != t->end()) return it->second;
    return std::nullopt;
  }

  /// Ends it; what was written is for the caller to keep or to drop. The write turn is held from here on.
  std::unique_lock<std::mutex> close(Table& written) {
    open_ = false;
    if (!turn_.owns_lock()) turn_.lock();
    written = std::exchange(written_, {});
    return std::exchange(turn_, std::unique_lock(*turn_.mutex(), std::defer_lock));
  }

  void* native_handle() override { throw TransactionError("MemoryStore has no native handle"); }

 private:
  Table& touch() {
    if (!open_) throw TransactionError("idem: the transaction was used after its handler had returned");
    if (!turn_.owns_lock()) turn_.lock();
    return written_;
  }
  std::int64_t execute(std::string_view, std::span<const Value>) override {
    throw TransactionError("MemoryStore has no SQL: use MemoryStore::put");
  }
  void select(std::string_view, std::span<const Value>, const std::function<void(const Row&)>&) override {
    throw TransactionError("MemoryStore has no SQL: use MemoryStore::get");
  }

  std::unique_lock<std::mutex> turn_;
  Table& table_;
  Table written_;
  bool open_ = false;
};

class MemorySession final : public Session {
 public:
  MemorySession(std::shared_ptr<Shared> shared, std::shared_ptr<Consumer> consumer, SettleListener& l)
      : shared_(std::move(shared)), consumer_(std::move(consumer)), listener_(l), tx_(shared_->turn, shared_->table) {}

  void look_up(std::span<const Record* const> records, std::span<Seen> seen) override {
    std::lock_guard turn(shared_->turn);
    const auto fetch = [&](std::size_t i) {
      if (records[i]->id) consumer_->prefetch(*records[i]->id);
    };
    core::fetched_ahead(records.size(), fetch, [&](std::size_t i) { seen[i] = consumer_->judge(*records[i]); });
  }

  Transaction& begin(const Record&) override {
    tx_.open();
    return tx_;
  }

  Joined finish(const Record& record, const Conclusion& conclusion) override {
    Table written;
    auto turn = tx_.close(written);
    if (conclusion.kind == Conclusion::Kind::skipped)
      consumer_->returning.erase(record.returning);
    else if (!conclude(record, conclusion, written))
      return Joined::duplicate;
    if (record.partition != Record::no_partition)
      consumer_->partitions[record.partition].progress.finish(record.from, record.message->offset, record.print);
    turn.unlock();
    const Settlement settled{record.token, true};
    listener_.on_settled({&settled, 1});
    return Joined::joined;
  }

  Joined claim(const Record& record) override {
    std::unique_lock turn(shared_->turn);
    const Seen seen = consumer_->judge(record);
    if (seen == Seen::duplicate || seen == Seen::conflict) return Joined::duplicate;
    if (!consumer_->claims.insert(*record.id, record.fingerprint).second) return Joined::duplicate;
    turn.unlock();
    const Settlement settled{record.token, true};
    listener_.on_settled({&settled, 1});
    return Joined::joined;
  }

  Joined roll_back() override {
    Table written;
    tx_.close(written);
    return Joined::joined;
  }

  void yield() override {}

 private:
  bool conclude(const Record& record, const Conclusion& conclusion, Table& written) {
    if (record.returning != 0 && !consumer_->returning.contains(record.returning)) return false;
    const bool for_itself = consumer_->remembered_for_itself(record);
    const bool known = record.id && !for_itself && consumer_->find(*record.id) != nullptr;
    const bool conflict = conclusion.kind == Conclusion::Kind::parked && conclusion.reason == ParkReason::id_conflict;
    if (consumer_->position_done(record) || (known && !conflict)) return false;
    // A conflict says nothing of the message that has the claim.
    if (record.id && !known && !(conflict && consumer_->claims.find(*record.id))) consumer_->remember(record);
    if (conclusion.kind == Conclusion::Kind::delayed) {
      consumer_->delay(record, conclusion);
      return true;
    }
    if (record.returning != 0) consumer_->returning.erase(record.returning);
    if (record.id && !conflict) consumer_->keep_ending(*record.id, conclusion);
    if (conclusion.kind == Conclusion::Kind::parked)
      consumer_->park(record, conclusion);
    else
      for (auto& [key, value] : written) shared_->table[key] = std::move(value);
    return true;
  }

  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Consumer> consumer_;
  SettleListener& listener_;
  MemoryTransaction tx_;
};

class MemoryLedger final : public Ledger {
 public:
  MemoryLedger(std::shared_ptr<Shared> shared, std::shared_ptr<Consumer> consumer)
      : shared_(std::move(shared)), consumer_(std::move(consumer)) {}

  std::chrono::milliseconds retention() const { return consumer_->retention; }
  const HashKey& hash_key() const override { return shared_->hash_key; }

  Opened open(const PartitionRef& ref) override {
    std::lock_guard turn(shared_->turn);
    const auto slot = static_cast<std::uint32_t>(consumer_->partitions.size());
    const auto [known, is_new] = consumer_->slots.try_emplace(ref, slot);
    if (is_new) consumer_->partitions.push_back({.slot = slot});
    return consumer_->partitions[known->second];
  }

  void reset(std::uint32_t slot, const Progress& progress, std::string_view origin) override {
    std::lock_guard turn(shared_->turn);
    consumer_->partitions[slot].progress = progress;
    consumer_->partitions[slot].origin = origin;
  }

  void skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
            SettleListener& listener) override {
    {
      std::lock_guard turn(shared_->turn);
      consumer_->partitions[slot].progress.skip(from, to);
    }
    const Settlement settled{token, true};
    listener.on_settled({&settled, 1});
  }

  std::unique_ptr<Session> session(SettleListener& listener) override {
    return std::make_unique<MemorySession>(shared_, consumer_, listener);
  }

  void advance(Timestamp time) override {
    std::lock_guard turn(shared_->turn);
    consumer_->advance(time);
  }

  Timestamp stream_time() const override {
    std::lock_guard turn(shared_->turn);
    return consumer_->stream_time;
  }

  Ending ending(const IdKey& id) override {
    std::lock_guard turn(shared_->turn);
    return consumer_->ending(id);
  }

  std::vector<ParkedMessage> parked(std::int64_t after, std::size_t limit) override {
    std::lock_guard turn(shared_->turn);
    const auto& all = consumer_->parked;
    const std::size_t first = std::min(static_cast<std::size_t>(std::max<std::int64_t>(after, 0)), all.size());
    const std::size_t count = std::min(limit, all.size() - first);
    return {all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(first + count)};
  }

  Returning returning(const PartitionRef& partition, Timestamp now, std::size_t limit,
                      const std::function<bool(std::int64_t)>& in_hand) override {
    std::lock_guard turn(shared_->turn);
    return consumer_->due(partition, now, limit, in_hand);
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Consumer> consumer_;
};

MemoryTransaction& own(Transaction& tx) {
  if (auto* ours = dynamic_cast<MemoryTransaction*>(&tx)) return *ours;
  throw TransactionError("this transaction is not a MemoryStore's");
}

}  // namespace

struct MemoryStore::Impl : Shared {};

MemoryStore::MemoryStore() : impl_(std::make_shared<Impl>()) {
  std::random_device random;
  for (auto& byte : impl_->hash_key) byte = static_cast<std::uint8_t>(random());
}

MemoryStore::~MemoryStore() = default;

StoreTraits MemoryStore::traits() const {
  return {.id = "memory", .name = "memory", .shared = false, .durable = false, .claims = true, .delays = true,
          .results = true};
}

std::shared_ptr<Ledger> MemoryStore::ledger(const LedgerOptions& options) {
  if (options.consumer.empty()) throw std::invalid_argument("LedgerOptions::consumer is required");
  if (options.retention.count() <= 0) throw std::invalid_argument("LedgerOptions::retention must be positive");
  std::lock_guard turn(impl_->turn);
  auto& consumer = impl_->consumers[options.consumer];
  auto& known = impl_->ledgers[options.consumer];
  auto ledger = known.lock();
  if (ledger && consumer->retention != options.retention)
    throw std::invalid_argument("the ledger of this consumer is open with another retention already");
  if (ledger) return ledger;
  if (!consumer) consumer = std::make_shared<Consumer>(options.retention);
  consumer->retention = options.retention;
  ledger = std::make_shared<MemoryLedger>(impl_, consumer);
  known = ledger;
  return ledger;
}

std::map<std::string, std::string> MemoryStore::table() const {
  std::lock_guard turn(impl_->turn);
  return impl_->table;
}

void MemoryStore::put(Transaction& tx, std::string_view key, std::string_view value) { own(tx).put(key, value); }

std::optional<std::string> MemoryStore::get(Transaction& tx, std::string_view key) { return own(tx).get(key); }

}  // namespace idem
