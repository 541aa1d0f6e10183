// The parking lot of a store, for people and tools: what lies in it and why, throwing it away, and putting it back to
// work. And whether an id is remembered, and letting it through again.
//
//   idem::SqliteParkingLot lot("ledger.db");
//   for (const idem::Parked& parked : lot.list({.reason = idem::ParkReason::no_id}, 100)) …
//   lot.drop({.number = 7}, {.who = "alice", .why = "paid by hand"});
//   lot.redrive({.topic = "payments"}, {.who = "alice", .why = "the bank is back"});
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <idem/store.h>

namespace idem {

/// Which parked messages: those to which all of it applies. As it is made: all of them.
struct ParkedFilter {
  std::optional<std::int64_t> number;
  std::optional<std::string> consumer;  ///< RuntimeOptions::consumer; one that the store does not know is an error
  std::optional<ParkReason> reason;
  std::optional<std::string> topic;     ///< Kafka topic or RabbitMQ queue
  std::optional<std::string> id;        ///< the whole id, byte for byte
  /// By the wall clock of the consumer when it parked: [parked_from, parked_before).
  std::optional<Timestamp> parked_from, parked_before;
  /// Numbers above `after`, up to `up_to`. They grow and are not used again: to go on from the last one listed, or to
  /// drop what was listed and not what has come since.
  std::int64_t after = 0, up_to = std::numeric_limits<std::int64_t>::max();

  friend bool operator==(const ParkedFilter&, const ParkedFilter&) = default;
};

/// Payloads may be large and are nobody's business by default.
enum class Payloads { left_out, included };

struct Parked {
  std::string consumer;
  ParkedMessage message;                     ///< its payload only if it was asked for
  std::optional<std::size_t> payload_bytes;  ///< always; nullopt: a null payload
};

struct RedriveOptions {
  std::size_t limit = 1'000;     ///< messages in one call, which is one transaction
  std::optional<Timestamp> due;  ///< when the first is to be handled, by the wall clock; nullopt: now
  /// Each next one is due so much later. 0: all at once. What is overdue when the service starts comes at once, a few
  /// hundred of a partition at a time.
  std::size_t per_second = 0;
};

struct Redriven {
  std::size_t messages = 0;
  std::int64_t last_number = 0;  ///< the highest: none up to it that the filter lets through is left
};

struct ParkedCount {
  std::string consumer;
  ParkReason reason = ParkReason::dead_letter;
  std::size_t messages = 0;
  std::int64_t last_number = 0;  ///< the highest
};

/// Who changed something by hand, and why: kept in the store's table idem_audit, with the time and what it was.
struct ByHand {
  std::string who;  ///< required
  std::string why;
};

/// What a store knows of an id.
struct RememberedId {
  enum class State {
    not_remembered,  ///< a message of that id would be handled, or be undecidable if it is older than `forgotten_until`
    done,            ///< a copy of it is a duplicate
    parked,          ///< the same: it ended in the parking lot (for any reason but id_conflict), also if dropped since
    claimed,         ///< an ExternalHandler's call may have been made, and its end is not recorded
    returning,       ///< a message of it comes back by itself (returns_at): put off by its handler, or redriven. A copy
                     ///< is a duplicate meanwhile
    forgotten,       ///< by hand, and no message of it has come since: the next one is handled
  };
  State state = State::not_remembered;

  // Of the generation it is remembered in. Ids are forgotten a generation at a time.
  std::optional<std::int64_t> generation;
  std::optional<Timestamp> from;  ///< stream time when the generation began
  std::optional<Timestamp> to;    ///< its newest message: it is forgotten `retention` of stream time after that

  /// Messages of that id in the parking lot, conflicts too, and those that were dropped from it; the newest first, a
  /// thousand of them at most. They may be there when the id itself is forgotten with its generation, and then handled
  /// again: `parked` is what is said if both can be.
  std::vector<std::int64_t> parked, dropped;
  /// Those that were redriven. One that was parked again has another number, too.
  std::vector<std::int64_t> redriven;
  std::optional<Timestamp> returns_at;
  /// Ids of messages up to this time have been forgotten, of one topic at least; nullopt: nothing has been.
  std::optional<Timestamp> forgotten_until;
};
/// "not remembered", "done", "parked", "claimed", "returning", "forgotten".
std::string_view to_string(RememberedId::State state);

/// Of one store. Calls block for as long as the disk takes, and show or change what is durable. They throw StoreError
/// with one line that says what to do.
class ParkingLot {
 public:
  virtual ~ParkingLot() = default;

  /// The first `limit`, in the order of their numbers. With payloads they are all in memory at once.
  virtual std::vector<Parked> list(const ParkedFilter& filter, std::size_t limit,
                                   Payloads payloads = Payloads::left_out) = 0;
  std::optional<Parked> find(std::int64_t number, Payloads payloads = Payloads::left_out);

  /// How many there are for each consumer and reason that has any, in the order of these.
  virtual std::vector<ParkedCount> counts(const ParkedFilter& filter) = 0;

  /// Throws the messages away, all or none, and answers how many they were. Each leaves a row in idem_audit, in the
  /// same transaction. Their ids stay remembered as parked: a copy that comes again is a duplicate and is not handled,
  /// a conflict that comes again is not parked again.
  /// Throws std::invalid_argument if nobody says who, and for a filter that was left as it is made.
  virtual std::size_t drop(const ParkedFilter& filter, const ByHand& by) = 0;

  /// Takes the first `limit` messages out of the parking lot and puts them among those that come back: the running
  /// service, or the next one, hands them to its handler again, as an explicit new generation of their id. Attempts are
  /// counted anew; an ExternalHandler is told that it may have been called. They have no order with others of their
  /// lane any more. Each leaves a row in idem_audit, in the same transaction, so repeating a call that was cut off goes on
  /// with what is left and redrives nothing twice. Until their end a copy from the broker is a duplicate.
  /// Throws std::invalid_argument if nobody says who, for a limit of 0, and for a filter that was left as it is made.
  virtual Redriven redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options = {}) = 0;

  virtual RememberedId look_up(const std::string& consumer, std::string_view id) = 0;

  /// Lets an id that is done or parked through again: the next message of it is handled, once, whatever its content and
  /// however late it comes. What was done is not undone, and parked messages stay where they are. An ExternalHandler is
  /// told that a call may have been made (maybe_executed), under the same key: whoever tells copies by it must forget it
  /// too. Positions stay finished: a message that Kafka gives again at its old offset is still a duplicate, another one
  /// with the id is not. Leaves a row in idem_audit, in the same transaction.
  /// Answers what was known of the id before; nothing is changed if that was neither done nor parked.
  /// Throws std::invalid_argument if nobody says who.
  virtual RememberedId forget(const std::string& consumer, std::string_view id, const ByHand& by) = 0;
};

/// Of a SQLite store's file. Reading leaves the file as it is and may be done beside the service that owns it; it then
/// shows what that has committed. Files of an older idem are read as they are (ids: from schema 4 on). Dropping and
/// redriving, and forgetting ids, are for a file that no service owns at the moment and that has this version's schema: neither is changed by
/// them. The service that owns a file redrives with SqliteStore::redrive().
///
/// It holds nothing open between calls. One thread at a time.
class SqliteParkingLot final : public ParkingLot {
 public:
  /// Throws StoreError: no such file, no store, made by a newer idem, not to be read.
  explicit SqliteParkingLot(const std::string& path);

  std::vector<Parked> list(const ParkedFilter& filter, std::size_t limit,
                           Payloads payloads = Payloads::left_out) override;
  std::vector<ParkedCount> counts(const ParkedFilter& filter) override;
  /// Also throws StoreError for a file that is owned (it names the process) or of an older schema. What it throws if
  /// COMMIT fails leaves open whether they are gone: list them again.
  std::size_t drop(const ParkedFilter& filter, const ByHand& by) override;
  /// The same.
  Redriven redrive(const ParkedFilter& filter, const ByHand& by, const RedriveOptions& options = {}) override;
  RememberedId look_up(const std::string& consumer, std::string_view id) override;
  /// Throws as drop() does.
  RememberedId forget(const std::string& consumer, std::string_view id, const ByHand& by) override;

 private:
  std::string path_;
};

}  // namespace idem
