#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "scratch.h"

namespace idem::test {
namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// A file descriptor closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

int open_for_append(const std::filesystem::path& file) {
  int number = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (number < 0) fail(errno, "open " + file.string());
  return number;
}

// This process's environment with the additions, as the "NAME=value" strings that execvpe wants.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& additions) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    std::string variable(*entry);
    if (!additions.contains(variable.substr(0, variable.find('=')))) result.push_back(std::move(variable));
  }
  for (const auto& [name, value] : additions) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

// Everything the child needs, made before fork(): between fork() and exec() of a process with threads only
// async-signal-safe calls are allowed, which rules out the allocator.
struct Launch {
  char** argv;
  char** environment;
  int input, output, errors;  // -1: inherited
  const char* directory;      // nullptr: inherited
  pid_t parent;
  int report;  // where errno goes when exec fails; closed by a successful exec
};

[[noreturn]] void become(const Launch& launch) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  bool orphaned = getppid() != launch.parent;  // the parent died before prctl could take effect
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!orphaned && dup2(launch.input, STDIN_FILENO) >= 0 &&
      (launch.output < 0 || dup2(launch.output, STDOUT_FILENO) >= 0) &&
      (launch.errors < 0 || dup2(launch.errors, STDERR_FILENO) >= 0) &&
      (!launch.directory || chdir(launch.directory) == 0)) {
    execvpe(launch.argv[0], launch.argv, launch.environment);
  }
  int error = errno;
  [[maybe_unused]] ssize_t written = write(launch.report, &error, sizeof error);
  _exit(127);
}

}  // namespace

std::string ExitStatus::to_string() const {
  return code ? "exit code " + std::to_string(*code) : "signal " + std::to_string(signal.value_or(0));
}

Process::Process(const std::vector<std::string>& argv, const Options& options) {
  std::vector<std::string> arguments = argv;
  std::vector<std::string> variables = environment_with(options.environment);
  std::vector<char*> argument_pointers = pointers(arguments);
  std::vector<char*> variable_pointers = pointers(variables);

  Descriptor input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Descriptor output(options.output.empty() ? -1 : open_for_append(options.output));
  Descriptor errors(options.errors.empty() ? -1 : open_for_append(options.errors));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail(errno, "pipe2");
  Descriptor report_in(ends[0]), report_out(ends[1]);

  Launch launch{.argv = argument_pointers.data(),
                .environment = variable_pointers.data(),
                .input = input.get(),
                .output = output.get(),
                .errors = errors.get(),
                .directory = options.directory.empty() ? nullptr : options.directory.c_str(),
                .parent = getpid(),
                .report = report_out.get()};
  owner_ = launch.parent;
  pid_ = fork();
  if (pid_ < 0) fail(errno, "fork");
  if (pid_ == 0) become(launch);

  setpgid(pid_, pid_);  // the child does the same; whoever is first, the group exists when we go on
  report_out.close();
  int error = 0;
  ssize_t got;
  do got = read(report_in.get(), &error, sizeof error);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    waitpid(pid_, nullptr, 0);
    fail(error, "cannot execute " + argv.front());
  }
  descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (descriptor_ < 0) {
    error = errno;
    kill();
    fail(error, "pidfd_open");
  }
}

Process::~Process() {
  // A fork of the owner (a death test, say) that runs static destructors must not end its parent's children.
  if (pid_ < 0 || owner_ != getpid()) return;
  try {
    kill();
  } catch (const std::system_error&) {
    // Somebody else has reaped it, so it has ended.
  }
  ::close(descriptor_);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      owner_(other.owner_),
      ended_(std::exchange(other.ended_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  // What this object held moves into the argument and ends with it.
  std::swap(pid_, other.pid_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(owner_, other.owner_);
  std::swap(ended_, other.ended_);
  return *this;
}

void Process::reap(int status) {
  if (WIFSIGNALED(status)) {
    ended_ = ExitStatus{.signal = WTERMSIG(status)};
  } else {
    ended_ = ExitStatus{.code = WEXITSTATUS(status)};
  }
}

bool Process::running() { return !wait_for(std::chrono::milliseconds(0)); }

void Process::signal(int number) {
  // Once reaped, the id may belong to somebody else.
  if (pid_ > 0 && !ended_) ::kill(-pid_, number);
}

void Process::terminate() { signal(SIGTERM); }
void Process::pause() { signal(SIGSTOP); }
void Process::resume() { signal(SIGCONT); }

ExitStatus Process::kill() {
  signal(SIGKILL);
  return wait();
}

std::optional<ExitStatus> Process::wait_for(std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + timeout;
  while (!ended_) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ended{.fd = descriptor_, .events = POLLIN, .revents = 0};
    int ready = poll(&ended, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (ready == 0) return std::nullopt;
    if (ready > 0) return wait();
    if (errno != EINTR) fail(errno, "poll");
  }
  return ended_;
}

ExitStatus Process::wait() {
  while (!ended_) {
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_) {
      reap(status);
    } else if (errno != EINTR) {
      fail(errno, "waitpid");
    }
  }
  return *ended_;
}

Finished run(const std::vector<std::string>& argv, const ProcessOptions& options,
             std::chrono::milliseconds timeout) {
  Scratch scratch("run");
  ProcessOptions captured = options;
  captured.output = captured.errors = scratch / "output";
  Process process(argv, captured);
  std::optional<ExitStatus> status = process.wait_for(timeout);
  return {.status = status ? *status : process.kill(), .output = contents(captured.output)};
}

}  // namespace idem::test
