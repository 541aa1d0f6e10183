#include "scratch.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace idem::test {

Scratch::Scratch(std::string_view label) : owner_(getpid()) {
  std::string name = (std::filesystem::temp_directory_path() / "idem-").string();
  name.append(label).append("-XXXXXX");
  if (!mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
  path_ = name;
}

Scratch::~Scratch() { remove(); }

Scratch::Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})), owner_(other.owner_) {}

Scratch& Scratch::operator=(Scratch&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::exchange(other.path_, {});
    owner_ = other.owner_;
  }
  return *this;
}

void Scratch::remove() noexcept {
  if (path_.empty() || owner_ != getpid()) return;
  const char* keep = std::getenv("IDEM_KEEP_SCRATCH");
  if (keep && *keep && *keep != '0') {
    std::fprintf(stderr, "kept: %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;  // a process that is just dying may still be writing there
  std::filesystem::remove_all(path_, ignored);
}

std::string tail(const std::filesystem::path& file, int lines) {
  std::string text = contents(file);
  size_t start = text.size();
  // One newline more than lines asked for, as the last line usually ends with one.
  for (int seen = 0; start > 0; --start) {
    if (text[start - 1] == '\n' && start != text.size() && ++seen == lines) break;
  }
  return text.substr(start);
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace idem::test
