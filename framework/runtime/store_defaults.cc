// What a store need not have.
#include <stdexcept>

#include <idem/store.h>

namespace idem {

Joined Session::claim(const Record&) {
  throw std::logic_error("idem: this store keeps no claims (StoreTraits::claims)");
}

Ledger::Ending Ledger::ending(const IdKey&) { return {}; }

Ledger::Returning Ledger::returning(const PartitionRef&, Timestamp, std::size_t,
                                    const std::function<bool(std::int64_t)>&) {
  return {};
}

}  // namespace idem
