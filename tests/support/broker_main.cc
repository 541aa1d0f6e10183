// idem_kafka_broker: runs a real Kafka broker (kafka_broker.h) for somebody else. Prints its bootstrap
// address as the one line of its output, then keeps it running until standard input ends or a SIGTERM or
// SIGINT comes.
//
// tests/run starts one for all tests and holds the other end of its input, so that the broker ends with it
// however it ends. By hand:
//   build/dev/tests/support/idem_kafka_broker          Ctrl-C ends it

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "kafka_broker.h"

namespace {

void wait_for_the_end(int signals) {
  pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                     {.fd = signals, .events = POLLIN, .revents = 0}};
  for (;;) {
    if (poll(events, 2, -1) < 0) continue;
    if (events[1].revents) return;
    char ignored[256];
    if (events[0].revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
  }
}

}  // namespace

int main() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  const int signals = signalfd(-1, &ending, SFD_CLOEXEC);
  try {
    if (auto reason = idem::test::kafka_missing()) {
      std::fprintf(stderr, "idem_kafka_broker: %s\n", reason->c_str());
      return 1;
    }
    idem::test::KafkaBroker broker;
    std::printf("%s\n", broker.bootstrap().c_str());
    std::fflush(stdout);
    wait_for_the_end(signals);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem_kafka_broker: %s\n", error.what());
    return 1;
  }
}
