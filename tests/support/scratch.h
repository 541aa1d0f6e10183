// A directory of its own for one test, gone when the test is.
//
// Lies below $TMPDIR (or /tmp). With IDEM_KEEP_SCRATCH=1 it stays and its path is printed, for a look at what
// a failed test left behind. Owned by one thread; movable, so that a fixture can replace it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace idem::test {

class Scratch {
 public:
  // `label` becomes part of the directory's name: idem-<label>-XXXXXX.
  explicit Scratch(std::string_view label = "test");
  ~Scratch();

  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  void remove() noexcept;

  std::filesystem::path path_;  // empty after a move
  int owner_;                   // the process that made the directory; a fork of it removes nothing
};

// The last `lines` lines of a file, for error messages; empty when the file cannot be read.
std::string tail(const std::filesystem::path& file, int lines);

// The whole file; empty when it cannot be read.
std::string contents(const std::filesystem::path& file);

}  // namespace idem::test
