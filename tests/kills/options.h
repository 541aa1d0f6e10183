// The command line of idem_kill, and what it needs of the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace idem::kills {

struct Options {
  std::size_t cycles = 100;
  enum class Source { mock_kafka, real_kafka, rabbitmq } source = Source::mock_kafka;
  std::uint64_t seed = std::random_device{}();
  std::string consumer;  // the program; default: beside this one
  std::string service;   // whom it calls, likewise
  bool idem = true;
  bool points = true;
  bool relay = false;
  bool external = false;
  bool unclaimed = false;
};

/// Ends the program if it cannot be understood.
Options parse_options(int count, char** words);

/// A part of the machine or of the build that these options need and that is not there.
struct Missing {
  const char* part;  ///< as IDEM_REQUIRE names it
  std::string why;
};
std::optional<Missing> missing_part(const Options& options);

/// "rabbitmq", "kafka"
const char* part_of(Options::Source source);

}  // namespace idem::kills
