#include <idem/memory_store.h>

#include "store_suite.h"

#include <algorithm>

namespace idem::conformance {
namespace {

class MemoryPlace final : public StorePlace {
 public:
  TransactionalStore& store() override { return store_; }
  void reopen() override {}  // forgets on exit: the same object goes on
  void write_effect(Transaction& tx, const std::string& name) override {
    MemoryStore::put(tx, name + '#' + std::to_string(++written_), "");
  }
  std::vector<std::string> effects() override {
    std::vector<std::string> names;
    for (const auto& [key, value] : store_.table()) names.push_back(key.substr(0, key.rfind('#')));
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  MemoryStore store_;
  std::atomic<int> written_{0};  // makes a repeated effect show
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreSuite,
                         testing::Values(StoreFactory{"memory", [] { return std::make_unique<MemoryPlace>(); }}),
                         factory_name);

}  // namespace
}  // namespace idem::conformance
