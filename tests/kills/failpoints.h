// Every failpoint of the sources, and how the kill harness gets a consumer there. failpoints_test.cc fails when this
// list and the sources differ.
#pragma once

#include <span>
#include <string_view>

namespace idem::kills {

struct Failpoint {
  enum class Reached {
    running,      ///< while messages flow
    sending,      ///< while messages flow, once a publisher has connected
    slowly,       ///< while messages flow, after a second and more: what stream time brings about
    leaving,      ///< after SIGTERM
    first_start,  ///< when a store is made
    by_hand,      ///< never by a consumer: by the program idem
    elsewhere,    ///< never by the harness's consumer, whose handlers have no long delays and no results: other tests
  };
  std::string_view name;
  Reached reached = Reached::running;
  /// The code goes on after ":error" and nothing may be lost by it.
  bool can_fail = false;
};

std::span<const Failpoint> failpoints();

}  // namespace idem::kills
