// The service that the killed consumer calls (service.cc), as a process of its own, and what it has written down.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kills/calls.h"
#include "support/process.h"
#include "support/scratch.h"

namespace idem::kills {

class CalledService {
 public:
  /// Returns when it listens. Throws std::runtime_error if it does not.
  CalledService(const std::string& program, std::uint64_t seed);

  /// name=value words for the consumer.
  std::vector<std::string> arguments() const { return {"call=127.0.0.1:" + port_}; }
  std::vector<Call> calls() const { return calls_in(scratch_ / "record"); }

 private:
  test::Scratch scratch_{"kill-service"};
  test::Process process_;
  std::string port_;
};

}  // namespace idem::kills
