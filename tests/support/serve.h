// What the programs that run a broker for somebody else have in common.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <optional>
#include <string>

namespace idem::test {

inline void wait_for_the_end(int signals) {
  pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                     {.fd = signals, .events = POLLIN, .revents = 0}};
  for (;;) {
    if (poll(events, 2, -1) < 0) continue;
    if (events[1].revents) return;
    char ignored[256];
    if (events[0].revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
  }
}


// Starts a Broker, prints where it is as the one line of output, and keeps it running until standard input ends or a
// SIGTERM or SIGINT comes. `missing` says why there can be none. Answers the exit code of the program `name`.
template <class Broker>
int serve(const char* name, std::optional<std::string> (*missing)(), const std::string& (Broker::*address)() const) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  const int signals = signalfd(-1, &ending, SFD_CLOEXEC);
  try {
    if (auto reason = missing()) {
      std::fprintf(stderr, "%s: %s\n", name, reason->c_str());
      return 1;
    }
    Broker broker;
    std::printf("%s\n", (broker.*address)().c_str());
    std::fflush(stdout);
    wait_for_the_end(signals);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
}

}  // namespace idem::test
