#include "unique_name.h"

#include <unistd.h>

#include <atomic>
#include <random>

namespace idem::test {

std::string unique_name(const std::string& stem) {
  static const unsigned random = std::random_device{}();
  static std::atomic<int> count = 0;
  return stem + "-" + std::to_string(getpid()) + "-" + std::to_string(random) + "-" + std::to_string(++count);
}

}  // namespace idem::test
