// A store's tables in the hands of people: what is parked, and what becomes of it. For a tool that has the file for a
// moment, or for the service that owns it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <idem/parking_lot.h>

#include "sqlite/connection.h"
#include "sqlite/parked_choice.h"

namespace idem::sqlite {

/// Inside of one read transaction, or of one that writes.
class LotFile {
 public:
  /// Throws StoreError if it is no store, or one that this version does not know.
  explicit LotFile(Connection& connection);

  std::int64_t schema() const { return schema_; }
  std::vector<Parked> list(const ParkedFilter& filter, std::size_t limit, Payloads payloads);
  std::vector<ParkedCount> counts(const ParkedFilter& filter);
  std::size_t drop(const ParkedFilter& filter, const ByHand& by);
  Redriven redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options);
  RememberedId look_up(const std::string& consumer, std::string_view id);
  RememberedId forget(const std::string& consumer, std::string_view id, const ByHand& by);

 private:
  ParkedChoice choice(const ParkedFilter& filter);
  IdKey key_of_id(std::string_view id);
  std::int64_t consumer_number(const std::string& name) const;
  std::string consumer_name(std::int64_t number) const;
  void write_audit(const ParkedChoice& chosen, const ByHand& by);
  /// Whether a message of the id ended here with a number above `after`; its numbers too.
  bool ended_here(Statement& numbers_and_reasons, std::int64_t consumer, const std::string& id_key, std::int64_t after,
                  std::vector<std::int64_t>& numbers);
  void let_through(std::int64_t consumer, const IdKey& key);
  void write_audit(std::int64_t consumer, std::string_view id, const IdKey& key, const ByHand& by);

  Connection& connection_;
  const std::int64_t schema_;
  std::map<std::int64_t, std::string> names_;
};

/// Throws std::invalid_argument, which names the call, if nobody says who, and for a filter that was left as it is made.
void require_meant(const std::string& call, const ParkedFilter& filter, const ByHand& by);
void require_valid(const RedriveOptions& options);

}  // namespace idem::sqlite
