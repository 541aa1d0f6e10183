// The harness knows every failpoint there is: one that it does not know would never be killed at.
#include "kills/failpoints.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include "support/scratch.h"

namespace idem::kills {
namespace {

std::set<std::string> in_the_sources() {
  static const std::regex use(R"re(IDEM_FAILPOINT\(\s*"([^"]+)"\s*\))re");
  std::set<std::string> names;
  for (const char* part : {"framework", "stores"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(IDEM_SOURCE_DIR "/") + part)) {
      if (entry.path().extension() != ".cc" && entry.path().extension() != ".h") continue;
      const std::string text = idem::test::contents(entry.path());
      for (std::sregex_iterator it(text.begin(), text.end(), use), end; it != end; ++it) names.insert((*it)[1]);
    }
  }
  return names;
}

TEST(Failpoints, TheHarnessKnowsThemAll) {
  std::set<std::string> known;
  for (const Failpoint& point : failpoints())
    EXPECT_TRUE(known.emplace(point.name).second) << point.name << " is listed twice";
  const auto used = in_the_sources();
  ASSERT_FALSE(used.empty());
  for (const std::string& name : used) EXPECT_TRUE(known.contains(name)) << name << " is missing in failpoints.cc";
  for (const std::string& name : known) EXPECT_TRUE(used.contains(name)) << name << " is not in the sources";
}

}  // namespace
}  // namespace idem::kills
