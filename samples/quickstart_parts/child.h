// A child process of the quick start. It ends with this process, however that ends, and is killed by the
// destructor.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace quickstart {

class Child {
 public:
  /// Starts argv[0] with output and errors appended to `log`. Throws std::system_error.
  Child(const std::vector<std::string>& argv, const std::filesystem::path& log);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;

  /// Has it ended? Then `ending()` says how: "exit code 1", "signal 9".
  bool ended();
  const std::string& ending() const { return ending_; }
  bool succeeded() const { return ending_ == "exit code 0"; }

  /// SIGKILL; on return it holds no file and no lock any more.
  void kill();
  /// SIGTERM; false if it is still running after `patience`.
  bool terminate(std::chrono::milliseconds patience);

 private:
  void reap(bool wait);

  pid_t pid_ = -1;
  std::string ending_;
};

}  // namespace quickstart
