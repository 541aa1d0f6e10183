#include "sqlite/owner_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "runtime/log.h"

namespace idem::sqlite {
namespace {

using Clock = std::chrono::steady_clock;

// flock() has no timeout; during a rolling restart this is how late the new owner may be.
constexpr std::chrono::milliseconds poll_interval{20};

bool try_lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    throw StoreError(std::string("cannot lock the owner file: ") + std::strerror(errno), false);
  }
  return true;
}

std::string read_pid(int descriptor) {
  char text[32];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  std::string pid(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  pid.erase(std::min(pid.find('\n'), pid.size()));
  return pid.empty() ? "unknown" : pid;
}

// Only for the message a second process prints, so a failure to write it is no error.
void write_pid(int descriptor) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  const bool emptied = ::ftruncate(descriptor, 0) == 0;
  const bool written = emptied && ::pwrite(descriptor, pid.data(), pid.size(), 0) > 0;
  if (!written) runtime::log().warn("idem: the pid could not be written into the owner file: {}", std::strerror(errno));
}

}  // namespace

OwnerLock::OwnerLock(const std::string& database_path, std::chrono::milliseconds patience) {
  const std::string path = database_path + "-owner";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor_ < 0) throw StoreError("cannot make " + path + ": " + std::strerror(errno), false);
  const auto deadline = Clock::now() + patience;
  while (!try_lock(descriptor_)) {
    if (Clock::now() >= deadline) {
      const std::string pid = read_pid(descriptor_);
      ::close(descriptor_);
      throw OwnedByAnother(database_path + " is owned by process " + pid +
                               ". One process owns a SQLite store. For a rolling restart set wait_for_owner; to share "
                               "the work among processes or machines use PostgreSQL.",
                           pid);
    }
    std::this_thread::sleep_for(poll_interval);
  }
  write_pid(descriptor_);
}

// The file stays: removing it would let two processes lock two different files of one name.
OwnerLock::~OwnerLock() { ::close(descriptor_); }

}  // namespace idem::sqlite
