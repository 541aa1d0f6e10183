// The store seam: where effects and the memory of what was processed live, in one transaction.
//
// A new store implements four small classes (Store, Ledger, Session, Transaction) with these headers alone and
// proves itself with the shipped conformance suite (tests/conformance/store_suite.h). Each numbered rule below is
// one test of that suite.
//
// How one message goes through a session, always on one worker thread:
//
//     look_up ──▶ fresh ──▶ begin ─▶ handler writes ─▶ finish(done)   ┐
//        │                     └─▶ handler fails ───▶ roll_back       │ joined to the open group
//        └─▶ duplicate, conflict, undecidable ─────▶ finish(…)        ┘ … committed, synced ─▶ SettleListener
//
// With a handler whose effect is elsewhere it goes through twice:
//
//     look_up ──▶ fresh ────▶ claim                                     … committed, synced ─▶ SettleListener
//     look_up ──▶ claimed ──▶ (handler calls somebody) begin, finish(done)  … likewise
//
// Many sessions share one open group: one transaction, one COMMIT, one fsync.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <idem/message.h>
#include <idem/outbox.h>
#include <idem/progress.h>
#include <idem/transaction.h>

namespace idem {

/// Secret of a store, made with it: ids are remembered as a keyed 128-bit hash, so nobody who can choose ids can
/// make two of them collide.
using HashKey = std::array<std::uint8_t, 16>;

/// What a store remembers an id by. Compare and hash it; nothing else can be read from it.
struct IdKey {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const IdKey&, const IdKey&) = default;
  friend auto operator<=>(const IdKey&, const IdKey&) = default;
};

struct PartitionRef {
  std::string topic;
  std::int32_t partition = 0;
  friend bool operator==(const PartitionRef&, const PartitionRef&) = default;
  friend auto operator<=>(const PartitionRef&, const PartitionRef&) = default;
};

/// One message as a store sees it. Borrowed from the runtime until it is settled or rolled back.
struct Record {
  static constexpr std::uint32_t no_partition = UINT32_MAX;

  std::uint64_t token = 0;               ///< comes back in the Settlement
  const Message* message = nullptr;
  std::optional<IdKey> id;               ///< nullopt: known by position only, or it has no id (then it is parked)
  std::uint64_t fingerprint = 0;         ///< of the content; 0: conflicts are not looked for
  std::uint32_t partition = no_partition;///< Ledger::open(); no_partition: the source has no stable positions
  std::int64_t from = 0;                 ///< the position after the previously received message of the partition
  std::uint64_t print = 0;               ///< what the record at this position looks like, for Progress
  Timestamp time{};                      ///< the message's timestamp, or the time of receipt; never after the wall clock
  bool alone = false;                    ///< its group failed before: commit it in a group of its own
  std::int64_t returning = 0;            ///< not 0: the store has kept it, and it has come back from there
                                         ///< (ReturningMessage::number). Its partition is no_partition then.
};

/// What a store knows about a record before its handler is called.
enum class Seen {
  fresh,        ///< not remembered and nothing that could have been it was forgotten: call the handler
  duplicate,    ///< done or parked before: do not call
  conflict,     ///< the id is remembered with another fingerprint
  undecidable,  ///< not remembered, but not newer than what has been forgotten of its topic
  claimed,      ///< a claim of the id is durable and not concluded: its call may have been made
  claim_conflict,  ///< the same with another fingerprint
};

/// Why a message lies in the parking lot.
enum class ParkReason {
  dead_letter,
  attempts_exhausted,
  no_id,
  id_conflict,
  undecidable,
  unresolved,  ///< a call may have been made, and nobody can say whether it was
};
std::string_view to_string(ParkReason reason);
/// The reason of that name, nullopt if there is none.
std::optional<ParkReason> park_reason(std::string_view name);

/// How a message ends.
struct Conclusion {
  enum class Kind {
    done,     ///< remember it, with what the handler wrote since begin()
    skipped,  ///< it was a duplicate: only the position moves on
    parked,   ///< keep the whole message with the reason; remember the id as parked
    delayed,  ///< keep the whole message until it is due; a copy of it is a duplicate from now on
  };
  Kind kind = Kind::done;
  ParkReason reason = ParkReason::dead_letter;  ///< parked only
  std::string why;                              ///< parked, delayed: for people
  int attempts = 0;                             ///< parked, delayed: how often the handler was called
  std::string publish_to;                       ///< parked only: also a row of the outbox for this destination …
  OutgoingMessage dead_letter;                  ///< … of this message, in the same transaction
  Timestamp due{};                              ///< delayed only: by the wall clock
  bool maybe_called = false;                    ///< delayed only: an ExternalHandler's call may have been made
  std::optional<std::string_view> result;       ///< done, with an id, only: keep it with the id. Borrowed until finish()
                                                ///< returns
};

enum class Joined {
  joined,       ///< it is in the open group (after roll_back: nothing of it is left there); a Settlement follows
  duplicate,    ///< another record of that id got in since look_up: what was written is rolled back, nothing joined.
                ///< Look it up again: it is a duplicate or, with other content, a conflict
  interrupted,  ///< a group failed since this session's last look_up: what was written is rolled back, nothing
                ///< joined. Hand the rest of the run back and look everything up again.
  again,        ///< what it wrote could not be undone alone: the last taken_back() records this session had joined
                ///< are undone with it, and no Settlement follows for them. Run those and this one again, in order.
};

/// What became of a record that joined a group. Exactly one per joined record.
struct Settlement {
  std::uint64_t token = 0;
  bool durable = false;  ///< true: committed and synced. false: certainly not applied, run it again (alone).
};

/// Told by whichever thread committed; called with no lock of the store held, must not block.
class SettleListener {
 public:
  virtual void on_settled(std::span<const Settlement> settlements) noexcept = 0;
 protected:
  ~SettleListener() = default;
};

/// The store cannot do what was asked. `transient`: worth trying again after a pause (disk full, locked).
/// Otherwise the process must stop: the file is corrupt, gone or no longer ours.
///
/// Any call of a Session may throw it, and so may a Transaction (whose record's scope is over then); the record that
/// was being finished has not joined. Why a group failed to commit is thrown once by the next look_up of each session
/// that had looked up before. After a non-transient one every call throws; what had joined settles as not durable,
/// which wakes whoever waits for it.
class StoreError : public std::runtime_error {
 public:
  StoreError(const std::string& what, bool transient) : std::runtime_error(what), transient_(transient) {}
  bool transient() const { return transient_; }
 private:
  bool transient_;
};

/// One worker's way into a ledger. Used by one thread at a time. A call that throws StoreError has ended the scope
/// begun by begin(), if there was one, and left nothing of it.
class Session {
 public:
  virtual ~Session() = default;

  /// What is known about each record, uncommitted records of the open group included. `seen` has the same size.
  /// S1: an id finished as done or parked is a duplicate, in this process and after a restart.
  /// S2: the same id with another fingerprint (both not 0) is a conflict.
  /// S3: a record at a finished position is a duplicate, whatever its id.
  /// S4: a record without id at an unfinished position is fresh.
  virtual void look_up(std::span<const Record* const> records, std::span<Seen> seen) = 0;

  /// Starts the record's own scope. The transaction is lazy: nothing is taken or locked until it is first used.
  /// Valid until finish or roll_back.
  virtual Transaction& begin(const Record& record) = 0;

  /// Joins the record to the open group. For Kind::done after begin(); for the other kinds without it.
  /// S5: effect, id, position and parked message become durable together or not at all.
  /// S6: never two records done with one id: the second finish answers Joined::duplicate and leaves nothing.
  /// S7: a settlement comes only after the commit is synced, exactly once per joined record.
  /// S8: after a failed group the next call of a session that had looked up before it answers interrupted.
  /// S13: what is finished as delayed is Ledger::returning() from then on, in this process and after a restart. Only
  ///      if StoreTraits::delays.
  /// S14: a record that has come back is fresh (or claimed) in every look_up although its id is remembered, until one
  ///      record of its number is finished; as delayed, it comes back again. All others of that number are duplicates.
  ///      Came it without an id and has one now, it is looked up like any other.
  /// S15: a result is kept with its id, byte for byte, and durable together with it or not at all (Ledger::ending). A
  ///      store that keeps none (StoreTraits::results) ignores it.
  virtual Joined finish(const Record& record, const Conclusion& conclusion) = 0;

  /// Joins to the open group that the record's handler is about to call somebody outside. Without begin(). Does not
  /// finish the position. Answers duplicate if the id has been finished or claimed since look_up.
  /// S12: once settled, the id is claimed (claim_conflict to a record with another fingerprint) in every look_up, in
  ///      this process and after a restart, until a record of it is finished as done, or as parked for any reason but
  ///      id_conflict. Retention does not end it.
  virtual Joined claim(const Record& record);

  /// S9: leaves nothing of what was written since begin(), and everything of the group's other records but those
  /// it takes back. Answers interrupted when the whole group died with it (then the others settle as not durable).
  virtual Joined roll_back() = 0;

  /// With Joined::again: how many records were taken back.
  /// S11: they are as if they had never joined, and each that runs again can be undone without the others.
  virtual std::size_t taken_back() const { return 0; }

  /// Nothing more comes from this worker for now: commit the open group unless others are about to add to it.
  /// S10: a joined record settles without any further call once every session has yielded.
  virtual void yield() = 0;
};

/// A whole message that the store keeps: the broker has been told that it is done with.
struct KeptMessage {
  std::int64_t number = 0;  ///< grows; never reused
  PartitionRef partition;
  std::int64_t offset = 0;
  std::optional<std::string> key, payload;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::optional<Timestamp> timestamp;
  std::string id;
  std::string why;
  int attempts = 0;
};

/// One that has ended, until a person has looked at it.
struct ParkedMessage : KeptMessage {
  ParkReason reason = ParkReason::dead_letter;
  Timestamp parked_at{};
};

/// One that comes back by itself when it is due: its handler has put it off, or it was redriven from the parking lot.
struct ReturningMessage : KeptMessage {
  Timestamp due{};
  bool maybe_called = false;  ///< by an ExternalHandler
};

/// What one consumer name remembers inside a store. Shared by the pipelines of a runtime; thread-safe.
class Ledger {
 public:
  struct Opened {
    std::uint32_t slot = 0;  ///< names the partition in Records
    Progress progress;       ///< not started() if the partition was never read
    std::string origin;      ///< what reset() was given: where these offsets count (cluster, topic incarnation)
  };

  virtual ~Ledger() = default;

  virtual const HashKey& hash_key() const = 0;

  /// L1: gives back exactly the durable progress: everything settled, nothing of a lost group.
  virtual Opened open(const PartitionRef& partition) = 0;

  /// Start over at `progress`, whatever was known. Durable when it returns. Ids are kept.
  /// L2: only for a partition with no record in flight.
  virtual void reset(std::uint32_t slot, const Progress& progress, std::string_view origin) = 0;

  /// [from, to) of the partition holds no message; joins the open group or a new one. Settles with `token`.
  virtual void skip(std::uint32_t slot, std::int64_t from, std::int64_t to, std::uint64_t token,
                    SettleListener& listener) = 0;

  virtual std::unique_ptr<Session> session(SettleListener& listener) = 0;

  /// Stream time has come to `time` (it never goes back: an earlier one is ignored).
  /// L3: an id is remembered until stream time is `retention` past its generation's newest record.
  /// L4: what is forgotten leaves its upper bound behind for the topics read in that time: a record of such a topic
  ///     that is not newer is undecidable. A topic read for the first time has no such bound.
  virtual void advance(Timestamp time) = 0;
  virtual Timestamp stream_time() const = 0;

  /// How a remembered id ended, as far as the store tells.
  struct Ending {
    bool parked = false;                ///< in the parking lot, for any reason but id_conflict
    std::optional<std::string> result;  ///< what Conclusion::result kept
  };
  /// Of an id that look_up calls a duplicate, the open group included; it may have been forgotten since. As it is made, that
  /// is "done, without a result", where StoreTraits::results is false: idem::once then has no more to say of a repeat.
  /// L6: a result goes with its id, not before it and not after.
  virtual Ending ending(const IdKey& id);

  /// Parked messages with number > `after`, oldest first. Payloads included: for people and tools, not for logs.
  virtual std::vector<ParkedMessage> parked(std::int64_t after = 0, std::size_t limit = 1000) = 0;

  struct Returning {
    std::vector<ReturningMessage> messages;  ///< the earliest first
    std::optional<Timestamp> next_due;       ///< of those that are not among them and not in hand; nullopt: there are none
  };
  /// The messages of a partition that are due at `now`, `limit` of them at most, but for those that are `in_hand`.
  /// L5: whatever the clock did, each is there from the commit that keeps it to the commit that ends it.
  virtual Returning returning(const PartitionRef& partition, Timestamp now, std::size_t limit,
                              const std::function<bool(std::int64_t number)>& in_hand);
  /// Grows when messages have begun to return in another way than by a Session of this ledger (redriven, or by another
  /// process that shares the store): ask again. Called very often.
  virtual std::uint64_t returning_changes() const { return 0; }
};

struct LedgerOptions {
  std::string consumer;                          ///< scope of ids; renaming it forgets its history
  std::chrono::milliseconds retention{std::chrono::days(7)};  ///< see RuntimeOptions::retention
};

struct StoreTraits {
  std::string id;         ///< made with the store, ASCII without spaces; goes into the broker's commit metadata
  std::string name;       ///< for people: "sqlite ledger.db"
  bool shared = false;    ///< several processes may share its memory
  bool durable = true;    ///< false: forgets on exit
  bool claims = false;    ///< Session::claim works: what an ExternalHandler needs for Claims::durable
  bool delays = false;    ///< Conclusion::Kind::delayed and Ledger::returning work. If not, long delays are waited for
                          ///< in memory.
  bool results = false;   ///< Ledger::ending works: done(result) is kept and idem::once returns it
};

class Store {
 public:
  virtual ~Store() = default;
  virtual StoreTraits traits() const = 0;
};

/// A store whose effects and records commit in one transaction: what a Handler needs.
class TransactionalStore : public Store {
 public:
  /// The same ledger for the same consumer name, as long as somebody holds it. Throws StoreError or
  /// std::invalid_argument (empty name, other retention than the one already open).
  virtual std::shared_ptr<Ledger> ledger(const LedgerOptions& options) = 0;
  /// What Transaction::publish writes to; nullptr: the store has no outbox. Lives as long as the store.
  virtual OutboxTable* outbox() { return nullptr; }
};

}  // namespace idem
