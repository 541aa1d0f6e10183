// How long the ids of one consumer and their results are remembered, and what is known of what was forgotten.
//
// Ids are remembered a generation at a time. A generation ends when stream time has moved on by an eighth of the
// retention, and is dropped when stream time is a whole retention past its newest record. It leaves its newest time
// behind as the horizon of the topics whose ids it held: a message of such a topic that is not newer may be a copy
// of something forgotten.
//
// Stream time is in the file: no clock is read here, so neither an outage nor a clock that jumps forgets anything.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <idem/store.h>

#include "sqlite/connection.h"
#include "sqlite/id_index.h"
#include "sqlite/results.h"

namespace idem::sqlite {

class Retention {
 public:
  Retention(Connection& connection, IdIndex& ids, Results& results, std::int64_t consumer,
            std::chrono::milliseconds retention);

  // --- Any thread -------------------------------------------------------------------------------------------

  void advance(Timestamp time) noexcept;
  Timestamp stream_time() const noexcept { return Timestamp(std::chrono::milliseconds(stream_time_.load())); }

  // --- Under the write turn ---------------------------------------------------------------------------------

  bool undecidable(std::string_view topic, Timestamp time) const;
  /// An id of the topic is being added to the newest generation.
  void note(std::string_view topic, Timestamp time);

  /// It is time to begin a generation or to drop one.
  bool due() const;
  /// Does it, inside the caller's transaction; applied() once that is durable.
  void turn_over();
  void applied();

  /// Stream time has moved on since it was last written.
  bool unsaved() const { return stream_time_.load() != saved_stream_time_; }

  // As Participant.
  void write();
  void committed() noexcept;
  void lost() noexcept;

 private:
  using Milliseconds = std::int64_t;
  struct Generation {
    std::int64_t number = 0;
    std::optional<Milliseconds> start;   // stream time at its begin, once known
    std::optional<Milliseconds> newest;  // nullopt: it holds no id
    std::set<std::string, std::less<>> topics;
  };

  void load();
  void begin_generation();
  void drop(const Generation& generation);
  std::vector<const Generation*> expired() const;
  bool newest_is_over() const;
  void write_times(const Generation& generation);

  Connection& connection_;
  IdIndex& ids_;
  Results& results_;
  const std::int64_t consumer_;
  const Milliseconds retention_, span_;
  std::atomic<Milliseconds> stream_time_{0};  // 0: not known yet
  Milliseconds saved_stream_time_ = 0;

  std::deque<Generation> generations_;  // oldest first; the last one takes new ids
  std::map<std::string, Milliseconds, std::less<>> horizon_;

  // Of the open group, not durable yet.
  std::optional<Milliseconds> newest_before_;
  std::vector<std::string> topics_added_;
  bool noted_ = false;
  Milliseconds written_stream_time_ = 0;
  // Of a turn-over, not durable yet.
  std::optional<Generation> begun_;
  std::vector<std::int64_t> dropped_;

  Statement write_generation_, write_topic_, write_stream_time_, raise_horizon_;
};

}  // namespace idem::sqlite
