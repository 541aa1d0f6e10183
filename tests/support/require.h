// Tests that need a real part (a Kafka broker, a database server) skip with a reason where the part is
// missing, unless IDEM_REQUIRE (a comma-separated list of parts, or "all") names it: then the same is a
// failure. CI requires every part, so that a test cannot vanish there without being noticed.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

namespace idem::test {

// Does IDEM_REQUIRE name this part?
bool required(std::string_view part);

}  // namespace idem::test

// At the top of a test body or of SetUp():
//   IDEM_NEEDS("kafka", idem::test::KafkaBroker::unavailable());
// The second argument is a std::optional<std::string>: the reason why the part is missing, if it is.
#define IDEM_NEEDS(part, why_not)                                                             \
  do {                                                                                        \
    if (auto idem_reason = (why_not)) {                                                       \
      if (idem::test::required(part)) FAIL() << part << " is required, but " << *idem_reason; \
      GTEST_SKIP() << part << ": " << *idem_reason;                                           \
    }                                                                                         \
  } while (false)
