// SQLite as the store: effects, ids and positions in one file, one transaction, one fsync per group.
//
// The file is your own database: idem keeps tables named idem_… beside yours. Other processes may read it while the
// consumer runs (sqlite3 ledger.db "SELECT …"). One process owns it: it alone writes.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <idem/parking_lot.h>
#include <idem/store.h>

namespace idem {

struct SqliteOptions {
  /// The database file; made with mode 0600 if absent. Required. Not on a network file system (refused: its locks
  /// and syncs are not to be trusted).
  std::string path;

  /// How long to wait for another process to give up the file, for rolling restarts. 0: refuse at once.
  std::chrono::milliseconds wait_for_owner{0};

  // --- What changes speed, not behaviour ------------------------------------------------------------------------

  /// A group commits when it holds this many messages …
  std::size_t group_messages = 1'000;
  /// … or is this old …
  std::chrono::milliseconds group_age{10};
  /// … or when no worker is about to add to it.

  /// How many messages in a row may share one savepoint. When a handler of them fails, those before it are undone
  /// with it and called again, one by one: more calls after a failure, for a third more throughput without. 1: never.
  std::size_t longest_span = 32;

  /// A consumer's newest ids are also held in memory, where a copy is recognised without a look into the file. About
  /// this many (by default 32 MiB; 64 to 128 bytes an id), and as many again for a moment; older ones need two bytes
  /// each. More: faster by a little after very many ids. Fewer: less memory. At least 1,000.
  std::size_t ids_in_memory = 500'000;

  /// SQLite's page cache.
  std::size_t cache_bytes = 64 << 20;

  /// For tests: the SQLite VFS to open the file with, one that breaks on purpose. Empty: SQLite's own.
  std::string vfs;
};

class SqliteStore final : public TransactionalStore {
 public:
  /// Opens or makes the file. Throws StoreError: not writable, corrupt, of a newer version, owned by another process
  /// (names its pid), on a network file system.
  explicit SqliteStore(SqliteOptions options);
  ~SqliteStore() override;

  StoreTraits traits() const override;
  std::shared_ptr<Ledger> ledger(const LedgerOptions& options) override;
  OutboxTable* outbox() override;

  /// The application's own writes to the file, in a transaction of their own that takes the same write turn. Durable
  /// when it returns; an exception from `fn` leaves nothing and passes through. Not from inside a handler.
  void transact(const std::function<void(Transaction&)>& fn);

  /// ParkingLot::redrive() by the process that owns the file: what is redriven is handled by the runtimes that run with
  /// this store, within half a second of being due. Any thread, but not from inside a handler.
  Redriven redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options = {});

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace idem
