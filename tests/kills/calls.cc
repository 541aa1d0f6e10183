#include "kills/calls.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <tuple>

namespace idem::kills {

std::ostream& operator<<(std::ostream& out, const Call& call) {
  return out << call.life << ' ' << call.number << ' ' << call.attempt << ' ' << call.maybe_executed << ' '
             << static_cast<int>(call.end) << ' ' << call.answered << ' ' << call.key << ' ' << call.of.id << ' '
             << call.of.partition << ' ' << call.of.offset << ' ' << call.of.key << ' ' << call.of.amount;
}

std::istream& operator>>(std::istream& in, Call& call) {
  int end = 0;
  in >> call.life >> call.number >> call.attempt >> call.maybe_executed >> end >> call.answered >> call.key >>
      call.of.id >> call.of.partition >> call.of.offset >> call.of.key >> call.of.amount;
  call.end = static_cast<Call::End>(end);
  return in;
}

std::vector<Call> calls_in(const std::filesystem::path& record) {
  std::ifstream file(record);
  if (!file) throw std::runtime_error("cannot read " + record.string());
  std::vector<Call> calls;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    std::istringstream words(line);
    if (!(words >> calls.emplace_back())) throw std::runtime_error("not a call in " + record.string() + ": " + line);
  }
  return calls;
}

std::vector<Effect> effects_of(const std::vector<Call>& calls) {
  std::vector<Effect> effects;
  for (const Call& call : calls)
    if (call.end == Call::End::effect) effects.push_back(call.of);
  return effects;
}

CallVerdict check_calls(const std::vector<Call>& calls) {
  std::vector<const Call*> as_made;
  for (const Call& call : calls) as_made.push_back(&call);
  std::stable_sort(as_made.begin(), as_made.end(), [](const Call* a, const Call* b) {
    return std::tie(a->life, a->number) < std::tie(b->life, b->number);
  });

  CallVerdict result;
  std::map<std::string, const Call*> first_of_id, first_of_key;
  for (const Call* call : as_made) {
    if (!call->answered) ++result.unanswered;
    const auto name = [&] {
      return call->of.id + ", call " + std::to_string(call->number) + " of life " + std::to_string(call->life);
    };
    const auto [of_key, new_key] = first_of_key.emplace(call->key, call);
    if (!new_key && of_key->second->of.id != call->of.id)
      result.verdict.found(Flaw::key_changed, name() + " has the key of " + of_key->second->of.id);
    const auto [first, new_id] = first_of_id.emplace(call->of.id, call);
    if (new_id) continue;
    ++result.repeats;
    if (first->second->key != call->key)
      result.verdict.found(Flaw::key_changed, name() + ": " + call->key + " after " + first->second->key);
    if (!call->maybe_executed)
      result.verdict.found(Flaw::unflagged, name() + ", after call " + std::to_string(first->second->number) +
                                                " of life " + std::to_string(first->second->life));
  }
  return result;
}

}  // namespace idem::kills
