#include <map>
#include <set>

#include "kills/outlet.h"

namespace idem::kills {
namespace {

constexpr std::size_t details_per_flaw = 5;

struct Findings {
  RelayVerdict result;
  void found(Flaw flaw, const std::string& what) {
    Verdict& verdict = result.verdict;
    if (++verdict.count[flaw] <= details_per_flaw) verdict.details.push_back(std::string(to_string(flaw)) + ": " + what);
  }
};

}  // namespace

RelayVerdict check_relayed(const std::vector<Effect>& effects, const std::vector<Relayed>& relayed) {
  Findings findings;
  std::map<std::string, std::size_t> place_of_effect;
  for (const Effect& effect : effects) place_of_effect.emplace(name_of(effect), place_of_effect.size());

  std::map<std::string, std::string> told;  // by whom, under which id
  std::set<std::string> ids;
  std::map<std::string, std::size_t> latest;  // of each key
  for (const Relayed& message : relayed) {
    const auto effect = place_of_effect.find(message.of);
    if (effect == place_of_effect.end()) {
      findings.found(Flaw::relayed_without_effect, message.of);
      continue;
    }
    if (!ids.insert(message.id).second) {
      ++findings.result.copies;
      continue;
    }
    if (!told.emplace(message.of, message.id).second) {
      findings.found(Flaw::relayed_twice, message.of + " under two ids");
      continue;
    }
    const auto [last, first_of_key] = latest.emplace(message.key, effect->second);
    if (!first_of_key && last->second > effect->second)
      findings.found(Flaw::relayed_out_of_order, message.of + " of key " + message.key);
    last->second = std::max(last->second, effect->second);
  }
  for (const Effect& effect : effects)
    if (!told.contains(name_of(effect))) findings.found(Flaw::not_relayed, name_of(effect));
  return std::move(findings.result);
}

}  // namespace idem::kills
