#include "kills/called_service.h"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace idem::kills {

using namespace std::chrono_literals;

CalledService::CalledService(const std::string& program, std::uint64_t seed)
    : process_({program, "record=" + (scratch_ / "record").string(), "port_in=" + (scratch_ / "port").string(),
                "seed=" + std::to_string(seed)},
               {.errors = scratch_ / "log"}) {
  for (int tries = 0; !std::filesystem::exists(scratch_ / "port"); ++tries) {
    if (tries == 1'000 || !process_.running())
      throw std::runtime_error("the called service does not listen: " + test::tail(scratch_ / "log", 5));
    std::this_thread::sleep_for(10ms);
  }
  port_ = test::contents(scratch_ / "port");
  port_.erase(port_.find('\n'));
}

}  // namespace idem::kills
