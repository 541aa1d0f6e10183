// Compiled by compile_fail.sh: must fail without WITH_TRANSACTIONS, with exactly one error.
#include <idem/memory_source.h>
#include <idem/memory_store.h>
#include <idem/runtime.h>

struct KeyValueCache : idem::Store {
  idem::StoreTraits traits() const override { return {}; }
};

struct Apply : idem::Handler {
  idem::Outcome handle(const idem::Message&, idem::Transaction&) override { return idem::done(); }
};

void build(idem::Runtime& runtime, idem::MemorySource& source) {
#ifdef WITH_TRANSACTIONS
  idem::MemoryStore store;
#else
  KeyValueCache store;
#endif
  Apply apply;
  runtime.add(source, store, apply);
}
