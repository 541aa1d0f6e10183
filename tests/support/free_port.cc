#include "free_port.h"

#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <stdexcept>

#include "loopback.h"

namespace idem::test {
namespace {

bool can_bind(int port) {
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  bool free = bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(socket);
  return free;
}

}  // namespace

int free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> any(15'000, 31'999);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    if (int port = any(random); can_bind(port)) return port;
  }
  throw std::runtime_error("no free port on loopback");
}

}  // namespace idem::test
