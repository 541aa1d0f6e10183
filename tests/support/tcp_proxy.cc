#include "tcp_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "loopback.h"

namespace idem::test {
TcpProxy::TcpProxy(int server_port) : server_port_(server_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::system_error(errno, std::generic_category(), "TcpProxy");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  ended_ = true;
  thread_.join();
  for (const Pipe& pipe : pipes_) close(pipe.client), close(pipe.server);
  close(listener_);
}

void TcpProxy::cut() {
  const int wanted = ++cuts_wanted_;
  while (cuts_done_ < wanted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// False: this end is closed.
bool TcpProxy::move(int from, int to, std::atomic<std::uint64_t>* moved) {
  char bytes[65'536];
  const ssize_t got = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t now = send(to, bytes + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now < 0 && errno != EAGAIN) return false;
    if (now > 0) sent += now;
    else std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (ended_ || cuts_wanted_ > cuts_done_) return false;
  }
  if (moved) *moved += static_cast<std::uint64_t>(got);
  return true;
}

void TcpProxy::run() {
  while (!ended_) {
    if (const int wanted = cuts_wanted_; wanted > cuts_done_) {
      for (const Pipe& pipe : pipes_) close(pipe.client), close(pipe.server);
      pipes_.clear();
      cuts_done_ = wanted;
    }
    if (held_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    std::vector<pollfd> events = {{listener_, POLLIN, 0}};
    for (const Pipe& pipe : pipes_) {
      events.push_back({pipe.client, POLLIN, 0});
      events.push_back({pipe.server, POLLIN, 0});
    }
    if (poll(events.data(), events.size(), 5) <= 0) continue;
    std::vector<Pipe> open;
    for (std::size_t i = 0; i < pipes_.size(); ++i) {
      const Pipe& pipe = pipes_[i];
      const bool good = (!events[1 + 2 * i].revents || move(pipe.client, pipe.server, &bytes_to_server_)) &&
                        (!events[2 + 2 * i].revents || move(pipe.server, pipe.client));
      if (good) open.push_back(pipe);
      else close(pipe.client), close(pipe.server);
    }
    pipes_.swap(open);
    if (!events[0].revents) continue;
    Pipe fresh{accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_in address = loopback(server_port_);
    if (connect(fresh.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) pipes_.push_back(fresh);
    else close(fresh.client), close(fresh.server);
  }
}

}  // namespace idem::test
