// Names on brokers that outlive the test.
#pragma once

#include <string>

namespace idem::test {

/// A name that nobody else has used on this broker: "orders" becomes "orders-<pid>-<random>-<n>". Not by the pid alone:
/// it comes again within one long run of tests.
std::string unique_name(const std::string& stem);

}  // namespace idem::test
