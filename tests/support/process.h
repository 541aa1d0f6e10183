// A child process that cannot outlive its owner.
//
// The child runs in a process group of its own, so that kill() reaches whatever it started, and is told by
// the kernel to die when its parent does (PR_SET_PDEATHSIG), so that a crashed or timed-out test leaves
// nothing running. A trap: the kernel takes the *thread* that started the child for the parent. Start
// long-lived children from a thread that lives as long as they should (in a test, the main thread).
//
// One thread uses a Process at a time. The destructor kills with SIGKILL and reaps.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace idem::test {

struct ProcessOptions {
  // Set in the child on top of this process's own environment.
  std::map<std::string, std::string> environment = {};

  // Standard output goes to this file (appended); empty: to where this process writes.
  std::filesystem::path output = {};

  // Standard error likewise; the same path as `output` merges the two.
  std::filesystem::path errors = {};

  // The child's working directory; empty: this process's own.
  std::filesystem::path directory = {};
};

// How a process ended: by exit code or by signal, never both.
struct ExitStatus {
  std::optional<int> code = {};
  std::optional<int> signal = {};

  bool ok() const { return code == 0; }
  std::string to_string() const;  // "exit code 3", "signal 9"
};

class Process {
 public:
  using Options = ProcessOptions;

  // Starts argv[0] (looked up in PATH when it has no slash) with standard input from /dev/null.
  // Throws std::system_error when the program cannot be executed.
  explicit Process(const std::vector<std::string>& argv, const Options& options = {});
  ~Process();

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;

  pid_t pid() const { return pid_; }

  // True until the end has been seen by running(), wait() or kill().
  bool running();

  // Sends a signal to the child and everything in its group; harmless once the child has ended.
  void signal(int number);
  void terminate();  // SIGTERM
  void pause();      // SIGSTOP: for the rest of the world the process hangs
  void resume();     // SIGCONT

  // SIGKILL, then waits for the end: on return the child holds no file, lock or port any more.
  ExitStatus kill();

  // The exit status, or nullopt when the child still runs at the deadline.
  std::optional<ExitStatus> wait_for(std::chrono::milliseconds timeout);
  ExitStatus wait();

 private:
  void reap(int status);

  pid_t pid_ = -1;       // -1 after a move
  int descriptor_ = -1;  // pidfd, by which wait_for() sleeps until the end instead of polling
  pid_t owner_ = -1;     // the process that started the child
  std::optional<ExitStatus> ended_;
};

// Runs a program to its end. Output and errors are captured together; past the timeout the program is killed
// and the result says signal 9.
struct Finished {
  ExitStatus status;
  std::string output;
};
Finished run(const std::vector<std::string>& argv, const ProcessOptions& options = {},
             std::chrono::milliseconds timeout = std::chrono::seconds(60));

}  // namespace idem::test
