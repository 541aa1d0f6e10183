// One message on its way through a publisher.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <idem/publish_result.h>

namespace idem::publish {

using TimePoint = std::chrono::steady_clock::time_point;

template <class Message>
struct Request {
  Message message;            ///< its id is set
  PublishCallback done;       ///< may be empty
  TimePoint deadline{};       ///< when waiting ends
  bool ends_batch = true;     ///< the last one of those published together
  bool maybe_stored = false;  ///< it has left this process and may have arrived
  bool nacked = false;        ///< the server has taken it at least once and said that it is not stored
  std::size_t size = 0;       ///< what it is charged for, in bytes
};

}  // namespace idem::publish
