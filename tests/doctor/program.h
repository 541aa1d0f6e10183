// The program idem, run to its end.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"

namespace idem::test {

struct Ended {
  int code = -1;
  std::string output;
  nlohmann::json json() const { return nlohmann::json::parse(output, nullptr, /*allow_exceptions=*/false); }
};

inline Ended idem(std::vector<std::string> arguments, const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), IDEM_PROGRAM);
  const Finished finished = run(arguments, {.environment = environment});
  EXPECT_TRUE(finished.status.code) << finished.status.to_string();
  return {finished.status.code.value_or(-1), finished.output};
}

inline bool says(const Ended& ended, const std::string& words) { return ended.output.find(words) != std::string::npos; }

}  // namespace idem::test
