#include "runtime/signals.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace idem::runtime {
namespace {

std::atomic<int> signals_seen{0};
std::atomic<int> wake_fd{-1};

void on_signal(int number) {
  const int saved = errno;
  if (signals_seen.fetch_add(1) > 0) _exit(128 + number);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd.load(), &one, sizeof one);
  errno = saved;
}

}  // namespace

struct SignalWatch::Impl {
  std::thread thread;
  struct sigaction before_term{}, before_int{};
  std::atomic<bool> ending{false};
};

SignalWatch::SignalWatch(std::function<void()> on_first) : impl_(std::make_unique<Impl>()) {
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  int expected = -1;
  if (!wake_fd.compare_exchange_strong(expected, fd)) {
    ::close(fd);
    throw std::logic_error("idem: run_until_signal() is already running in this process");
  }
  signals_seen = 0;
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGTERM, &action, &impl_->before_term);
  ::sigaction(SIGINT, &action, &impl_->before_int);
  impl_->thread = std::thread([impl = impl_.get(), fd, on_first = std::move(on_first)] {
    std::uint64_t count;
    while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (!impl->ending) on_first();
  });
}

SignalWatch::~SignalWatch() {
  ::sigaction(SIGTERM, &impl_->before_term, nullptr);
  ::sigaction(SIGINT, &impl_->before_int, nullptr);
  impl_->ending = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd.load(), &one, sizeof one);
  impl_->thread.join();
  ::close(wake_fd.exchange(-1));
}

}  // namespace idem::runtime
