// Columns for people, as wide as what is in them.
#pragma once

#include <string>
#include <vector>

namespace idem::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

  /// As many cells as the head has; printable.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace idem::cli
