// Where an assigned partition starts: the broker's committed offset held against what the store remembers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <idem/runtime.h>

namespace idem::core {

/// What every offset commit carries beside the offset, to tell our commits from an operator's or another process's.
std::string commit_metadata(std::string_view store_id);
/// The store id in a commit's metadata; nullopt: not written by this framework.
std::optional<std::string_view> store_in_metadata(std::string_view metadata);

struct StartDecision {
  enum class Action {
    read,
    stop_partition,  ///< leave this partition unread; `why` names the option that accepts it
    refuse,          ///< the run must end; `why` names the ways out
  };
  Action action = Action::read;
  std::int64_t start = 0;
  Progress progress;                      ///< to go on from
  bool changed = false;                   ///< progress or origin differ from the store's: make them durable first
  std::optional<Progress::Range> check;   ///< read this remembered record once more and compare it
  std::string why;                        ///< for the log; empty: nothing unusual
};

/// `remembered` and `origin` come from the store. The decision table is the one in the README ("Starting").
StartDecision decide_start(const AssignedPartition& assigned, const Progress& remembered, std::string_view origin,
                           std::string_view store_id, const Accept& accept);

}  // namespace idem::core
