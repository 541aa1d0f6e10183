// Compares what was sent with what is there after kills: in the effects table (which has no unique constraint, as
// one would hide what is looked for), in the store's records and parking lot, and at the broker.
//
// Pure: it reads nothing and knows no broker and no database, so that each of its verdicts is proved on an injected
// flaw (checker_test.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <idem/progress.h>

namespace idem::kills {

/// How an id has to end. `conflict`: two messages with one id and different content; whichever comes first has its
/// effect and the other one is parked.
enum class Fate { effect, parked, conflict };

/// A message that the broker has accepted. Repeats of the producer are further entries with the same id.
struct Sent {
  std::string id;  ///< empty: it carries none, and its position names it
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t amount = 0;
  Fate fate = Fate::effect;
  std::int64_t time = 0;  ///< the message's timestamp, in milliseconds
};

/// A row of the effects table: which message had it, and where that copy lay.
struct Effect {
  std::string id;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::int64_t amount = 0;
};

/// What its handler calls it when it publishes.
std::string name_of(const Effect& effect);

struct ParkedAt {
  std::string id;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

struct Evidence {
  std::vector<Effect> effects;  ///< in the order in which they were written
  std::vector<ParkedAt> parked;
  /// Which of the sent ids the store remembers; nullopt: not asked (a consumer without idem has no records).
  std::optional<std::set<std::string>> remembered;
  std::set<std::string> claimed;                   ///< ids whose call was about to be made, and its end is not recorded
  std::int64_t remembers_from = 0;                 ///< what is older may have been forgotten
  std::map<std::int32_t, Progress> progress;       ///< the store's, per partition
  std::map<std::int32_t, std::int64_t> committed;  ///< the broker's; no entry: nothing committed
  std::optional<std::size_t> left;                 ///< instead, for a queue: the messages that it still has
};

enum class Flaw {
  lost,                   // I1: sent and neither effect nor parked, when everything is done
  doubled,                // I2: more than one effect
  phantom,                // I5: an effect or parked message that was never sent
  wrong_amount,           // I5: an effect that is not the one of its message, or sums that differ
  record_without_effect,  // I3
  effect_without_record,  // I3; with a claim it may be there first, for it is elsewhere
  parked_twice,
  wrong_end,             // effect where it had to be parked, or the other way round
  committed_too_far,     // I4: the broker was told "done" about a message without terminal record
  progress_too_far,      // the store's watermark has passed such a message
  committed_past_store,  // I11: the broker is ahead of the store
  not_caught_up,         // I7: everything is done and the broker was not told so
  out_of_order,          // I6: within a partition and key
  // Of what the outbox sent, when everything is done:
  not_relayed,  // an effect whose message did not arrive
  relayed_twice,  // under two ids
  relayed_without_effect,
  relayed_out_of_order,
  // Of calls to somebody outside:
  unflagged,    // P4: repeated, and did not say that it may have been made before
  key_changed,  // P4: another key than an earlier call of its message, or the key of another message
  claim_left,   // everything is done and the store still has a claim
};
std::string_view to_string(Flaw flaw);

struct Verdict {
  std::map<Flaw, std::size_t> count;
  std::vector<std::string> details;  ///< the first few of each flaw, for people
  std::size_t unfinished = 0;        ///< messages without terminal record; flaws only at the end

  bool clean() const { return count.empty(); }
  std::size_t of(Flaw flaw) const;
  void found(Flaw flaw, const std::string& what);
  void add(const Verdict& other);
};

/// after_kill: the consumer is dead in the middle of its work. at_end: it has said that everything is done.
enum class Moment { after_kill, at_end };

/// `ordered`: the consumer promised order by key or by partition. Keys of `sent` are unique to their partition.
Verdict check(const std::vector<Sent>& sent, const Evidence& evidence, Moment moment, bool ordered);

}  // namespace idem::kills
