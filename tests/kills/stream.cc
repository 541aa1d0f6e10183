#include "kills/stream.h"

#include <algorithm>
#include <stdexcept>

namespace idem::kills {
namespace {

// A key lives in one partition, so that order can be judged by key.
constexpr std::size_t keys_per_partition = 8;
constexpr std::size_t remembered_for_repeats = 1'000;
constexpr std::int64_t ms_between_messages = 4'000;
constexpr std::chrono::days age_of_the_first{60};
static_assert(2 * static_cast<std::int64_t>(remembered_for_repeats) * ms_between_messages <
              std::chrono::milliseconds(Stream::retention).count());

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Record framing and headers, roughly.
constexpr std::size_t overhead = 64;

}  // namespace

Stream::Stream(std::string name, std::int32_t partitions, std::uint64_t seed, bool all_kinds)
    : name_(std::move(name)),
      partitions_(partitions),
      all_kinds_(all_kinds),
      random_(seed),
      time_ms_(now_ms() - std::chrono::milliseconds(age_of_the_first).count()),
      bytes_(static_cast<std::size_t>(partitions)) {}

std::vector<test::Record> Stream::next(std::size_t count) {
  if (!awaiting_.empty()) throw std::logic_error("the last messages were not accepted");
  std::vector<test::Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    const bool again = !plain_.empty() && below(10) == 0;
    Draft draft = !again ? fresh() : all_kinds_ && below(40) == 0 ? contradict() : repeat();
    draft.sent.time = time_ms_ += ms_between_messages;
    draft.sent.partition = static_cast<std::int32_t>(below(static_cast<std::size_t>(partitions_)));
    records.push_back(record(draft));
    awaiting_.push_back(std::move(draft));
  }
  return records;
}

void Stream::accepted(const std::vector<test::Position>& positions) {
  if (positions.size() != awaiting_.size()) throw std::logic_error("not every message was accepted");
  for (std::size_t i = 0; i < positions.size(); ++i) {
    Sent sent = awaiting_[i].sent;
    sent.partition = positions[i].partition;
    sent.offset = positions[i].offset;
    bytes_[static_cast<std::size_t>(sent.partition)] += overhead + sent.id.size() + awaiting_[i].payload.size();
    sent_.push_back(std::move(sent));
  }
  awaiting_.clear();
}

std::size_t Stream::largest_partition() const { return *std::max_element(bytes_.begin(), bytes_.end()); }

Stream::Draft Stream::fresh() {
  Payload payload;
  payload.amount = static_cast<std::int64_t>(1 + below(1'000));
  if (all_kinds_ && below(12) == 0) payload.act = static_cast<Act>(1 + below(act_names.size() - 1));

  Draft draft;
  draft.payload = payload.text(std::string(20 + below(60), 'x'));
  draft.sent.amount = payload.amount;
  draft.sent.fate = ends_parked(payload.act) ? Fate::parked : Fate::effect;
  if (all_kinds_ && below(200) == 0) {
    draft.sent.fate = Fate::parked;  // for it has no id
    return draft;
  }
  draft.sent.id = name_ + "-" + std::to_string(made_++);
  plain_.push_back(draft);
  if (plain_.size() > remembered_for_repeats) plain_.erase(plain_.begin(), plain_.begin() + remembered_for_repeats / 2);
  return draft;
}

Stream::Draft Stream::repeat() { return plain_[below(plain_.size())]; }

// The id of an earlier message with other content. Only of a message that was not repeated before and is never again:
// the checker then knows that one of exactly two has the effect.
Stream::Draft Stream::contradict() {
  const std::size_t which = plain_.size() - 1;
  Draft first = plain_[which];
  const auto is_it = [&](const Sent& sent) { return sent.id == first.sent.id; };
  const bool simple = first.sent.fate == Fate::effect && Payload::parse(first.payload)->act == Act::apply;
  const auto in_sent = std::count_if(
      sent_.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(sent_.size(), 20'000)), sent_.end(), is_it);
  const auto in_awaiting =
      std::count_if(awaiting_.begin(), awaiting_.end(), [&](const Draft& draft) { return is_it(draft.sent); });
  if (!simple || in_sent + in_awaiting != 1) return repeat();
  plain_.erase(plain_.begin() + static_cast<std::ptrdiff_t>(which));
  for (Sent& sent : sent_)
    if (is_it(sent)) sent.fate = Fate::conflict;
  for (Draft& draft : awaiting_)
    if (is_it(draft.sent)) draft.sent.fate = Fate::conflict;
  first.sent.fate = Fate::conflict;
  first.payload += " contradicted";
  return first;
}

test::Record Stream::record(const Draft& draft) {
  test::Record record;
  const auto partition = static_cast<std::size_t>(draft.sent.partition);
  record.partition = draft.sent.partition;
  record.key = std::to_string(partition * keys_per_partition + below(keys_per_partition));
  record.payload = draft.payload;
  record.timestamp_ms = draft.sent.time;
  if (!draft.sent.id.empty()) record.headers = {{"message-id", draft.sent.id}};
  return record;
}

}  // namespace idem::kills
