#include <idem/sqlite_store.h>

#include "outbox_suite.h"
#include "runtime/failpoint.h"
#include "store_suite.h"
#include "support/scratch.h"

namespace idem::conformance {
namespace {

class SqlitePlace final : public StorePlace {
 public:
  SqlitePlace() { reopen(); }
  ~SqlitePlace() override { disarm(); }

  TransactionalStore& store() override { return *store_; }

  void reopen() override {
    store_.reset();
    store_ = std::make_unique<SqliteStore>(SqliteOptions{.path = scratch_ / "store.db"});
    store_->transact([](Transaction& tx) { tx.exec("CREATE TABLE IF NOT EXISTS effects (name BLOB)"); });
  }

  void write_effect(Transaction& tx, const std::string& name) override {
    tx.exec("INSERT INTO effects VALUES ($1)", Blob{name});
  }

  std::vector<std::string> effects() override {
    std::vector<std::string> names;
    store_->transact([&](Transaction& tx) {
      for (auto& [name] : tx.query<std::string>("SELECT name FROM effects ORDER BY name")) names.push_back(name);
    });
    return names;
  }

#ifdef IDEM_FAILPOINTS
  bool fail_next_commit() override {
    failpoint::arm("store.commit_refused:error");
    return true;
  }
  static void disarm() { failpoint::arm(""); }
#else
  static void disarm() {}
#endif

 private:
  test::Scratch scratch_{"conformance"};
  std::unique_ptr<SqliteStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreSuite,
                         testing::Values(StoreFactory{"sqlite", [] { return std::make_unique<SqlitePlace>(); }}),
                         factory_name);
INSTANTIATE_TEST_SUITE_P(Stores, OutboxSuite,
                         testing::Values(StoreFactory{"sqlite", [] { return std::make_unique<SqlitePlace>(); }}),
                         factory_name);

}  // namespace
}  // namespace idem::conformance
