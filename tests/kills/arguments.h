// name=value words of a command line.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

namespace idem::kills {

class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i < count; ++i) {
      const std::string word = words[i];
      const auto equals = word.find('=');
      if (equals == std::string::npos) throw std::invalid_argument("not name=value: " + word);
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }

  std::string text(const std::string& name) const {
    const auto it = values_.find(name);
    if (it == values_.end()) throw std::invalid_argument(name + "=… is missing");
    return it->second;
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    return values_.contains(name) ? values_.at(name) : otherwise;
  }
  long number(const std::string& name, long otherwise) const {
    return values_.contains(name) ? std::stol(values_.at(name)) : otherwise;
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace idem::kills
