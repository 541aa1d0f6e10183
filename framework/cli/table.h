// Columns for people, as wide as what is in them.
#pragma once

#include <cstddef>
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

/// One thing there is to say: its name, and in column `column` what it is.
std::string named_line(const std::string& name, const std::string& value, std::size_t column);

}  // namespace idem::cli
