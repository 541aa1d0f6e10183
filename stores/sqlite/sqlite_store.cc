#include <idem/sqlite_store.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "sqlite/ledger.h"
#include "sqlite/lot_file.h"
#include "sqlite/session.h"
#include "sqlite/writer.h"

namespace idem {
namespace {

// The application's own transaction: it is begun and committed around it, so there is nothing to do at first use.
class ApplicationTransaction final : public sqlite::SqliteTransaction {
 public:
  explicit ApplicationTransaction(sqlite::Writer& writer) : SqliteTransaction(writer), writer_(writer) {
    open();
    writer_.database().guard().user_begins();
  }
  ~ApplicationTransaction() {
    writer_.database().guard().user_ends();
    close();
  }

 private:
  void touch() override {
    if (!writer_.group().alive() || !writer_.group().open())
      throw TransactionError("the transaction was ended by an earlier error; nothing more can be written in it");
  }
  void abandon() override {}

  sqlite::Writer& writer_;
};

void require_valid(const LedgerOptions& options) {
  if (options.consumer.empty()) throw std::invalid_argument("LedgerOptions::consumer is required");
  if (options.retention.count() <= 0) throw std::invalid_argument("LedgerOptions::retention must be positive");
}

}  // namespace

struct SqliteStore::Impl {
  explicit Impl(const SqliteOptions& options)
      : name("sqlite " + std::filesystem::path(options.path).filename().string()),
        writer(std::make_shared<sqlite::Writer>(options)) {}

  const std::string name;
  const std::shared_ptr<sqlite::Writer> writer;
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<sqlite::SqliteLedger>> ledgers;  // guarded by mutex
};

SqliteStore::SqliteStore(SqliteOptions options) : impl_(std::make_shared<Impl>(options)) {}

SqliteStore::~SqliteStore() = default;

StoreTraits SqliteStore::traits() const {
  return {.id = impl_->writer->database().identity().id, .name = impl_->name, .shared = false, .durable = true,
          .claims = true, .delays = true, .results = true};
}

std::shared_ptr<Ledger> SqliteStore::ledger(const LedgerOptions& options) {
  require_valid(options);
  std::lock_guard lock(impl_->mutex);
  auto& known = impl_->ledgers[options.consumer];
  if (auto ledger = known.lock()) {
    if (ledger->retention() != options.retention)
      throw std::invalid_argument("the ledger of consumer '" + options.consumer +
                                  "' is open with another retention already");
    return ledger;
  }
  sqlite::Writer::Hold hold(*impl_->writer);
  impl_->writer->commit();  // an earlier ledger of that name may just be going: what it knows must be in the file
  try {
    auto ledger = std::make_shared<sqlite::SqliteLedger>(impl_->writer, options);
    known = ledger;
    return ledger;
  } catch (const sqlite::SqlError& e) {
    throw impl_->writer->database().store_error(e);
  }
}

OutboxTable* SqliteStore::outbox() {
  sqlite::Writer::Hold hold(*impl_->writer);
  return &impl_->writer->make_outbox();
}

void SqliteStore::transact(const std::function<void(Transaction&)>& fn) {
  sqlite::Writer& writer = *impl_->writer;
  if (sqlite::inside_handler_of(writer))
    throw TransactionError("transact() inside a handler of the same store: write through the handler's transaction");
  {
    sqlite::Writer::Hold hold(writer);  // on its own, so that its settlements need not wait for fn
    writer.commit();
  }
  sqlite::Writer::Hold hold(writer);
  writer.run_alone([&] {
    ApplicationTransaction tx(writer);
    fn(tx);
  });
}

Redriven SqliteStore::redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options) {
  sqlite::require_meant("SqliteStore::redrive", filter, by);
  sqlite::require_valid(options);
  sqlite::Writer& writer = *impl_->writer;
  if (sqlite::inside_handler_of(writer)) throw TransactionError("redrive() inside a handler of the same store");
  sqlite::Writer::Hold hold(writer);
  writer.commit();  // what was just parked is among them
  Redriven redriven;
  writer.run_alone([&] { redriven = sqlite::LotFile(writer.connection()).redrive(filter, by, options); });
  writer.note_redriven();
  return redriven;
}

}  // namespace idem
