#include "kills/endings.h"

#include <algorithm>

namespace idem::kills {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using Reached = Failpoint::Reached;

namespace {

// From exec to the first message; with a group, to the assignment.
constexpr microseconds to_first_message = 30ms, to_join = 150ms;
// Some lives are long enough for what stream time brings about: new generations of ids, and the end of old ones.
constexpr microseconds long_life = 1'300ms;
constexpr long one_in_is_long = 40;
// How long a life may take to come to its failpoint.
constexpr microseconds patience = 400ms, patience_in_group = 1'500ms, patience_with_time = 2'500ms;
constexpr long first_reach = 16, longest_reach = 600;

}  // namespace

Endings::Endings(std::uint64_t seed, bool points, std::chrono::microseconds longest_life,
                 const std::function<bool(std::string_view)>& reaches)
    : random_(seed), points_(points), longest_life_(longest_life) {
  for (const Failpoint& point : failpoints())
    if (point.reached != Reached::by_hand && point.reached != Reached::elsewhere && reaches(point.name)) all_.push_back(point);
}

Ending Endings::next(bool new_store, bool group) {
  if (!points_) return at_random(group);
  if (new_store)
    for (const Failpoint& point : all_)
      if (point.reached == Reached::first_start) return at(point, group);
  // A life that did not come to its point counts as ended at random: then the next one has another try.
  if (2 * at_random_ < kills_) return at_random(group);
  do next_point_ = (next_point_ + 1) % all_.size();
  while (all_[next_point_].reached == Reached::first_start);
  return at(all_[next_point_], group);
}

Ending Endings::at_random(bool group) {
  Ending ending;
  ending.kill_after = microseconds(below(longest_life_.count())) + (group ? to_join : 0us);
  if (points_ && below(one_in_is_long) == 0) ending.kill_after += long_life;
  // Some die while they leave.
  if (below(8) == 0)
    ending.terminate_after = ending.kill_after - microseconds(below(ending.kill_after.count() / 2 + 1));
  // Some have been through an error before.
  if (!points_ || below(4) != 0) return ending;
  do next_error_ = (next_error_ + 1) % all_.size();
  while (!all_[next_error_].can_fail);
  ending.failpoints = std::string(all_[next_error_].name) + ":error@" + std::to_string(1 + below(8));
  ++errors_[all_[next_error_].name];
  return ending;
}

Ending Endings::at(const Failpoint& point, bool group) {
  Ending ending;
  ending.point = &point;
  ending.kill_after = group ? patience_in_group : patience;
  if (point.reached == Reached::sending) ending.kill_after = patience_in_group;
  if (point.reached == Reached::slowly) ending.kill_after = patience_with_time;
  if (point.reached == Reached::leaving)
    ending.terminate_after = to_first_message + (group ? to_join : 0us) + microseconds(below(60'000));
  const bool once = point.reached != Reached::running && point.reached != Reached::sending;
  const long hit = once ? 1 : 1 + below(reach_.try_emplace(point.name, first_reach).first->second);
  ending.failpoints = std::string(point.name) + ":kill@" + std::to_string(hit);
  return ending;
}

void Endings::ended(const Ending& ending, Death death) {
  if (death != Death::none) ++kills_;
  if (death == Death::by_hand) ++at_random_;
  if (!ending.point) return;
  const bool at_point = death == Death::at_point;
  if (at_point) ++kills_at_[ending.point->name];
  long& reach = reach_.try_emplace(ending.point->name, first_reach).first->second;
  reach = at_point ? std::min(longest_reach, reach + reach / 8 + 1) : std::max(1L, reach / 2);
}

std::size_t Endings::kills_at(std::string_view point) const {
  const auto it = kills_at_.find(point);
  return it == kills_at_.end() ? 0 : it->second;
}

std::vector<std::string_view> Endings::never_reached() const {
  std::vector<std::string_view> names;
  for (const Failpoint& point : all_)
    if (!kills_at_.contains(point.name)) names.push_back(point.name);
  return names;
}

}  // namespace idem::kills
