#include "core/start_position.h"

#include "core/mutant.h"

#include <algorithm>

namespace idem::core {
namespace {

constexpr std::string_view metadata_prefix = "idem/1 store=";

std::string_view component(std::string_view origin, std::string_view name) {
  while (!origin.empty()) {
    const std::string_view word = origin.substr(0, origin.find(' '));
    origin.remove_prefix(std::min(word.size() + 1, origin.size()));
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=')
      return word.substr(name.size() + 1);
  }
  return {};
}

/// The component that two origins disagree on; empty if they may be the same place.
std::string_view disagreement(std::string_view a, std::string_view b) {
  for (std::string_view name : {"cluster", "topic"}) {
    const auto in_a = component(a, name), in_b = component(b, name);
    if (!in_a.empty() && !in_b.empty() && in_a != in_b) return name;
  }
  return {};
}

class Decision {
 public:
  Decision(const AssignedPartition& assigned, const Progress& remembered, std::string_view origin,
           std::string_view store_id, const Accept& accept)
      : a_(assigned), remembered_(remembered), origin_(origin), store_(store_id), accept_(accept) {}

  StartDecision make() {
    const auto writer = a_.committed ? store_in_metadata(a_.metadata) : std::nullopt;
    bool another_log = false;
    if (remembered_.started()) {
      const auto differs = disagreement(origin_, a_.origin);
      another_log = !differs.empty();
      if (another_log && !nothing_was_read())
        return other_log("the " + std::string(differs) + " is not the one this store has read (" +
                         std::string(component(origin_, differs)) + " then, " +
                         std::string(component(a_.origin, differs)) + " now)");
      if (remembered_.watermark() > a_.log_end)
        return other_log("the store has finished up to offset " + std::to_string(remembered_.watermark()) +
                         " and the log ends at " + std::to_string(a_.log_end) + ": deleted and recreated, or truncated");
    }
    if (writer && *writer != store_) return other_store(*writer);
    if (another_log) return begin_at(a_.initial, {});
    if (writer && !remembered_.started()) return empty_store();
    if (!remembered_.started()) return first_start();
    if (a_.committed && !writer && *a_.committed != remembered_.watermark()) return operator_reset();
    return go_on(writer.has_value());
  }

 private:
  /// The beginning was noted, and no message was ever finished: another log contradicts nothing.
  bool nothing_was_read() const { return remembered_.ranges().size() == 1 && remembered_.watermark() == 0; }

  StartDecision first_start() { return begin_at(a_.committed.value_or(a_.initial), {}); }

  StartDecision go_on(bool ours) {
    StartDecision d;
    d.progress = remembered_;
    const std::int64_t watermark = remembered_.watermark();
    if (ours && *a_.committed > watermark)
      d.why = to_string(a_.partition) + ": the broker's committed offset " + std::to_string(*a_.committed) +
              " is ahead of the store's " + std::to_string(watermark) +
              ": the store is older than the broker (a restored backup, or a lost WAL). The store wins: reading again "
              "from " + std::to_string(watermark);
    if (watermark < a_.log_begin) {
      d.why = to_string(a_.partition) + ": offsets " + std::to_string(watermark) + " to " +
              std::to_string(a_.log_begin - 1) + " were deleted by the broker's retention before they were read";
      d.progress.skip(watermark, a_.log_begin);
      d.changed = true;
    }
    d.start = d.progress.watermark();
    if (mutated(Mutant::start_above_watermark) && a_.committed && *a_.committed > d.start) {
      d.progress.reset(*a_.committed);
      d.start = *a_.committed;
    }
    if (auto last = d.progress.last_record(); last && last->last >= a_.log_begin) {
      d.check = last;
      d.start = last->last;
    }
    d.changed |= origin_ != a_.origin && !a_.origin.empty();
    return d;
  }

  StartDecision operator_reset() {
    const std::int64_t watermark = remembered_.watermark(), target = *a_.committed;
    if (target > watermark)
      return begin_at(target, to_string(a_.partition) + ": the group's offset was reset forward to " +
                                  std::to_string(target) + ": " + std::to_string(target - watermark) +
                                  " offsets from " + std::to_string(watermark) + " on are skipped as asked");
    return begin_at(target, to_string(a_.partition) + ": the group's offset was reset back to " +
                                std::to_string(target) +
                                " (the store had finished up to " + std::to_string(watermark) +
                                "). Ids that are still remembered will be skipped as duplicates; to process them again "
                                "use another consumer name");
  }

  StartDecision other_store(std::string_view writer) {
    if (accept_.other_store || (accept_.empty_store && !remembered_.started()))
      return begin_at(remembered_.started() ? std::max(*a_.committed, remembered_.watermark()) : *a_.committed,
                      to_string(a_.partition) + ": progress of store " + std::string(writer) + " adopted as asked");
    std::string why = to_string(a_.partition) + ": its committed offset " + std::to_string(*a_.committed) +
                      " was written by another store (" + std::string(writer) + ", this one is " + std::string(store_) +
                      "). What that store remembers is not known here, so every redelivery would have a second effect. ";
    why += remembered_.started() ? "" : "If this store's file is new because the old one was lost: restore it, or set "
                                        "accept.empty_store. ";
    why += "If another process runs with its own file: share one PostgreSQL store, or give each process partitions of "
           "its own (KafkaOptions::Mode::fixed) in a group of its own. If the service has moved and the other is gone "
           "for good: accept.other_store";
    return refuse(StartDecision::Action::refuse, std::move(why));
  }

  StartDecision empty_store() {
    if (accept_.empty_store)
      return begin_at(*a_.committed, to_string(a_.partition) + ": empty store accepted as asked");
    return refuse(StartDecision::Action::refuse,
                  to_string(a_.partition) + ": the broker has this store's committed offset " +
                      std::to_string(*a_.committed) +
                      " and the store remembers nothing of the partition (was the consumer renamed, or the file "
                      "replaced?). Restore the file, or set accept.empty_store: copies of what was processed then have "
                      "a second effect");
  }

  StartDecision other_log(std::string what) {
    if (accept_.recreated_topic)
      return begin_at(a_.log_begin, to_string(a_.partition) + ": " + what + "; starting over at " +
                                        std::to_string(a_.log_begin) + " as asked, remembered ids are kept");
    return refuse(StartDecision::Action::stop_partition,
                  to_string(a_.partition) + ": " + what +
                      ". Its positions name other records now, so this partition is not read. To start over at its "
                      "beginning with the remembered ids kept, set accept.recreated_topic");
  }

  StartDecision begin_at(std::int64_t offset, std::string why) {
    StartDecision d;
    d.start = std::max(offset, a_.log_begin);
    if (d.start > a_.log_end) d.start = a_.initial;
    d.progress.reset(d.start);
    d.changed = true;
    d.why = std::move(why);
    return d;
  }

  StartDecision refuse(StartDecision::Action action, std::string why) {
    StartDecision d;
    d.action = action;
    d.why = std::move(why);
    return d;
  }

  const AssignedPartition& a_;
  const Progress& remembered_;
  std::string_view origin_, store_;
  const Accept& accept_;
};

}  // namespace

std::string commit_metadata(std::string_view store_id) { return std::string(metadata_prefix) + std::string(store_id); }

std::optional<std::string_view> store_in_metadata(std::string_view metadata) {
  if (!metadata.starts_with(metadata_prefix)) return std::nullopt;
  metadata.remove_prefix(metadata_prefix.size());
  return metadata.substr(0, metadata.find(' '));
}

StartDecision decide_start(const AssignedPartition& assigned, const Progress& remembered, std::string_view origin,
                           std::string_view store_id, const Accept& accept) {
  return Decision(assigned, remembered, origin, store_id, accept).make();
}

}  // namespace idem::core
