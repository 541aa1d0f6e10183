// What a handler throws is an answer too.
#pragma once

#include <exception>

#include <idem/outcome.h>

namespace idem::runtime {

struct NothingPasses {};

/// What the handler says, or why it could not. A `Passing` is no answer of the handler's and goes through.
template <class Passing = NothingPasses, class Call>
Outcome guarded(Call call) {
  try {
    return call();
  } catch (const Passing&) {
    throw;
  } catch (const std::exception& e) {
    return retry(e.what());
  } catch (...) {
    return retry("the handler threw something that is not a std::exception");
  }
}

}  // namespace idem::runtime
