#include "cli/command.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "cli/printable.h"

namespace idem::cli {

void write_out(const std::string& text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!whole || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "standard output cannot be written");
}

int nothing(const std::string& why) {
  std::fprintf(stderr, "idem: %s\n", printable(why).c_str());
  return nothing_matched;
}

}  // namespace idem::cli
