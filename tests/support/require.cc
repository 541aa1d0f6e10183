#include "require.h"

#include <algorithm>
#include <cstdlib>

namespace idem::test {

bool required(std::string_view part) {
  const char* value = std::getenv("IDEM_REQUIRE");
  std::string_view list = value ? value : "";
  while (!list.empty()) {
    std::string_view name = list.substr(0, list.find(','));
    if (name == part || name == "all") return true;
    list.remove_prefix(std::min(list.size(), name.size() + 1));
  }
  return false;
}

}  // namespace idem::test
