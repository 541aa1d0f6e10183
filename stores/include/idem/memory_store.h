// The reference store: everything in memory, forgotten on exit. For tests, samples and reading.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <idem/store.h>

namespace idem {

class MemoryStore final : public TransactionalStore {
 public:
  MemoryStore();
  ~MemoryStore() override;

  StoreTraits traits() const override;
  std::shared_ptr<Ledger> ledger(const LedgerOptions& options) override;

  /// The committed table, copied. Any thread.
  std::map<std::string, std::string> table() const;

  /// A handler's effect in this store: it has no SQL, only one table of text. `tx` must come from a MemoryStore.
  static void put(Transaction& tx, std::string_view key, std::string_view value);
  static std::optional<std::string> get(Transaction& tx, std::string_view key);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace idem
