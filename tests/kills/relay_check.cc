#include <algorithm>
#include <map>
#include <set>

#include "kills/outlet.h"

namespace idem::kills {
RelayVerdict check_relayed(const std::vector<Effect>& effects, const std::vector<Relayed>& relayed) {
  RelayVerdict result;
  std::map<std::string, std::size_t> place_of_effect;
  for (const Effect& effect : effects) place_of_effect.emplace(name_of(effect), place_of_effect.size());

  std::map<std::string, std::string> told;  // by whom, under which id
  std::set<std::string> ids;
  std::map<std::string, std::size_t> latest;  // of each key
  for (const Relayed& message : relayed) {
    const auto effect = place_of_effect.find(message.of);
    if (effect == place_of_effect.end()) {
      result.verdict.found(Flaw::relayed_without_effect, message.of);
      continue;
    }
    if (!ids.insert(message.id).second) {
      ++result.copies;
      continue;
    }
    if (!told.emplace(message.of, message.id).second) {
      result.verdict.found(Flaw::relayed_twice, message.of + " under two ids");
      continue;
    }
    const auto [last, first_of_key] = latest.emplace(message.key, effect->second);
    if (!first_of_key && last->second > effect->second)
      result.verdict.found(Flaw::relayed_out_of_order, message.of + " of key " + message.key);
    last->second = std::max(last->second, effect->second);
  }
  for (const Effect& effect : effects)
    if (!told.contains(name_of(effect))) result.verdict.found(Flaw::not_relayed, name_of(effect));
  return result;
}

}  // namespace idem::kills
