// The claims of one consumer: messages whose handler calls somebody outside, from before the call until it is concluded.
// And ids that were forgotten by hand, from then until they are remembered again: a claim too, for what was done before may
// have been a call, and one that goes before what is remembered.
//
// There are never more of them than messages in flight and those a process left behind that died, so all of them are in
// memory too. What the open group changes is written just before its COMMIT.
//
// Threads: under the write turn.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <idem/store.h>

#include "core/id_map.h"
#include "sqlite/connection.h"

namespace idem::sqlite {

class Claims {
 public:
  Claims(Connection& connection, std::int64_t consumer);

  /// The fingerprint it was claimed with.
  std::optional<std::uint64_t> find(const IdKey& key) const;
  /// It was remembered, and a person has let it through again.
  bool forgotten(const IdKey& key) const;
  /// False: it is claimed already.
  bool add(const IdKey& key, std::uint64_t fingerprint);
  /// Concluded; nothing if there is no claim.
  void remove(const IdKey& key);

  // As Participant.
  void keep() noexcept { kept_ = changes_.size(); }
  void take_back() noexcept { undo(kept_); }
  void write();
  void committed() noexcept;
  void lost() noexcept;

 private:
  struct Claim {
    std::uint64_t fingerprint = 0;
    bool forgotten = false;
  };
  struct Change {
    IdKey key;
    Claim claim;
    bool added;
  };
  void undo(std::size_t down_to) noexcept;

  const std::int64_t consumer_;
  Statement insert_, delete_;
  core::IdMap<Claim> claims_;    // with what the open group changed
  std::vector<Change> changes_;  // by the open group
  std::size_t kept_ = 0;         // of them not to be taken back
};

}  // namespace idem::sqlite
