// The broker of a history: the log, the group's committed offsets, and who owns which partition. Outlives all
// nodes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <idem/source.h>

#include "sim/history.h"

namespace idem::sim {

/// One message as the producer sent it. Ids, keys and payloads are small numbers with a text each.
struct Sent {
  static constexpr int none = -1;
  int partition = 0;
  std::int64_t offset = 0;
  int id = none;
  int key = none;
  int payload = 0;
  Timestamp time{};
  bool received = false;           ///< by a node, now or before
  bool seen_before_crash = false;  ///< a node that had received it crashed
  enum class State : std::uint8_t { ready, unacknowledged, acknowledged };
  State state = State::ready;      ///< in a queue
};

/// Where a message stands in the producer's order. A queue gives it no position: there a header carries it, for the
/// checks and nobody else.
struct Place {
  int partition = 0;
  std::int64_t offset = 0;
  friend bool operator==(const Place&, const Place&) = default;
};
constexpr std::string_view place_header = "place";
Place place_of(const Message& message);
std::string_view place_text(std::int64_t offset);

std::string_view id_text(int id);
std::string_view key_text(int key);
std::string_view payload_text(int payload);

/// Sees everything that lasts at the moment it happens.
class Observer {
 public:
  /// A queue is told that the message is done.
  virtual void on_acknowledged(const Sent& sent) = 0;
  /// The broker applies an offset commit.
  virtual void on_offset_commit(int partition, std::int64_t next) = 0;
  /// The store has put a parked message on disk.
  virtual void on_parked(int partition, std::int64_t offset, ParkReason reason) = 0;
  /// The store has moved a partition on.
  virtual void on_progress(int partition) = 0;
  /// Whether the message has come to a durable end.
  virtual bool ended(const Sent& sent) const = 0;

 protected:
  ~Observer() = default;
};

class Broker {
 public:
  struct Partition {
    std::vector<Sent> messages;
    std::int64_t end = 0;  ///< log end, past trailing offsets without a message
    std::optional<std::int64_t> committed;
    std::string metadata;
    int owner = Sent::none;        ///< node
    std::uint32_t generation = 0;  ///< grows whenever the owner changes
    std::vector<std::size_t> delivered;  ///< on the present channel, by tag - 1: the message
    std::vector<bool> resolved;          ///< the same: acknowledged or handed back

    /// The first message at or above `offset`; messages.size() if there is none.
    std::size_t find(std::int64_t offset) const {
      std::size_t i = 0;
      while (i < messages.size() && messages[i].offset < offset) ++i;
      return i;
    }
  };

  Broker(History& history, Observer& observer) : history_(history), observer_(observer) {}

  /// A producer sends one more message: a new one, a copy, or whatever else the history allows.
  void append();
  int sent() const { return static_cast<int>(all_.size()); }

  void give(int partition, int node);
  void take(int partition);

  /// Whether an earlier copy of the message, received by then, has not come to its end.
  bool copy_is_open(const Sent& sent) const;
  bool has_ended(const Sent& sent) const { return observer_.ended(sent); }

  enum class Answer { ok, refused };
  /// Applies an offset commit if it comes from the present owner.
  Answer commit(int partition, std::uint32_t generation, std::int64_t next, const std::string& metadata);

  // --- As a queue. What comes from a channel that is gone is not heard.
  struct Delivery {
    Sent* sent = nullptr;  ///< nullptr: nothing is ready
    std::int64_t tag = 0;
  };
  Delivery deliver(int partition);
  void acknowledge(int partition, std::uint32_t generation, std::uint64_t tag, bool multiple);
  void hand_back(int partition, std::uint32_t generation, std::uint64_t tag);

  Partition& partition(int number) { return partitions_[static_cast<std::size_t>(number)]; }
  const Partition& partition(int number) const { return partitions_[static_cast<std::size_t>(number)]; }

 private:
  /// Whether the channel knows the tag; a broker closes it for one that it does not.
  bool knows(const Partition& partition, std::uint64_t tag);
  void requeue(Partition& partition);

  struct Key {
    int id, payload;
  };
  History& history_;
  Observer& observer_;
  std::array<Partition, partition_count> partitions_;
  std::vector<Key> all_;
};

}  // namespace idem::sim
