// Places where a test may stop or break the process. Absent unless built with IDEM_FAILPOINTS; then one relaxed load
// each while off.
//
// IDEM_FAILPOINT="store.after_commit:kill@37,store.commit:error@2" in the environment arms them: at the 37th hit of
// the first the process gets SIGKILL, the second hit of the second reports an error. Without @N: at the first hit.
// "error" keeps failing from that hit on with a trailing '+' ("error@2+").
#pragma once

#ifdef IDEM_FAILPOINTS

#include <atomic>
#include <string_view>

namespace idem::failpoint {
extern std::atomic<bool> armed;
/// Counts the hit; does not return if it is time to die; true if the caller is to fail here.
bool hit(std::string_view name) noexcept;
/// Arms from a specification, replacing the earlier one ("" disarms). Throws std::invalid_argument.
void arm(std::string_view specification);
}  // namespace idem::failpoint

#define IDEM_FAILPOINT(name) \
  (::idem::failpoint::armed.load(std::memory_order_relaxed) && ::idem::failpoint::hit(name))
#else
#define IDEM_FAILPOINT(name) false
#endif
