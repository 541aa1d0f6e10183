// The remembered ids of one consumer: "was this id seen?", answered for a whole run of messages at once.
//
// Ids live in generations, one table each, so that forgetting is dropping a table. What the open group adds stays in
// memory until just before its COMMIT, and is then written to the newest generation in the order of the table: no
// message pays for a page of its own twice, and undoing one costs no SQL. The table's unique key is the last word that
// no two records have one id.
//
// Threads: under the write turn.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <idem/store.h>

#include "core/flat_map.h"
#include "sqlite/connection.h"
#include "sqlite/id_filter.h"

namespace idem::sqlite {

enum class IdState : std::uint8_t { done = 1, parked = 2 };

struct Remembered {
  std::uint64_t fingerprint = 0;
  IdState state = IdState::done;
};

class IdIndex {
 public:
  explicit IdIndex(Connection& connection) : connection_(connection) {}

  /// found[i] becomes what is remembered of keys[i].
  void find(std::span<const IdKey> keys, std::span<std::optional<Remembered>> found);

  /// False, and nothing is added, if the id is there. `newest_then` is newest() as it was when the id was looked up
  /// and not found: it may have been added since, and a generation begun after that.
  bool add(const IdKey& key, const Remembered& id, std::int64_t newest_then);
  /// The same without adding it.
  bool knows(const IdKey& key, std::int64_t newest_then);

  // As Participant.
  void keep() noexcept { kept_ = added_.size(); }
  void take_back() noexcept;
  void write();
  void forget_added() noexcept;

  std::int64_t newest() const { return generations_.empty() ? 0 : generations_.back().number; }

  // In two steps, so that a transaction that is lost changes nothing in memory.
  void create_table(std::int64_t generation);
  void drop_table(std::int64_t generation);
  void created(std::int64_t generation);
  void dropped(std::int64_t generation);

 private:
  struct Generation {
    Generation(Connection& connection, std::int64_t number);
    void load_filter(Connection& connection);
    std::int64_t number;
    Statement find, add;
    IdFilter filter;  // of all that was ever written, also in transactions that were lost
  };
  struct Added {
    IdKey key;
    Remembered id;
  };
  struct Half {
    std::uint64_t operator()(const IdKey& key) const { return key.low; }
  };

  static std::optional<Remembered> find_in(Generation& generation, const IdKey& key);

  Connection& connection_;
  std::list<Generation> generations_;                  // oldest first
  std::vector<Added> added_;                           // by the open group
  std::size_t kept_ = 0;                               // of them not to be taken back
  core::FlatMap<IdKey, Remembered, Half> added_by_key_;
};

}  // namespace idem::sqlite
