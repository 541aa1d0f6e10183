#include "cli/table.h"

#include <algorithm>

#include "cli/printable.h"

namespace idem::cli {

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] + 2 - width(row[i]), ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string named_line(const std::string& name, const std::string& value, std::size_t column) {
  return name + std::string(column - name.size(), ' ') + value + "\n";
}

}  // namespace idem::cli
