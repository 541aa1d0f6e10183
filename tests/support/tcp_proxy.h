// A wire between a client and a server on loopback that a test can cut or hold.
//
// One thread of its own moves the bytes. Everything here may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace idem::test {

class TcpProxy {
 public:
  // Listens on a free port of 127.0.0.1 and connects each client to 127.0.0.1:`server_port`.
  explicit TcpProxy(int server_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }

  // Both ends of every connection are closed. New ones are served as before. Returns when it is done.
  void cut();
  // Nothing is moved any more, and nothing closed: what a cable pulled out looks like. New connections hang as well.
  void hold() { held_ = true; }
  void release() { held_ = false; }
  // Moved so far from clients to the server.
  std::uint64_t bytes_to_server() const { return bytes_to_server_; }

 private:
  struct Pipe {
    int client = -1, server = -1;
  };
  void run();
  bool move(int from, int to, std::atomic<std::uint64_t>* moved = nullptr);

  const int server_port_;
  int port_ = 0, listener_ = -1;
  std::atomic<bool> held_{false}, ended_{false};
  std::atomic<int> cuts_wanted_{0}, cuts_done_{0};
  std::atomic<std::uint64_t> bytes_to_server_{0};
  std::vector<Pipe> pipes_;  // the thread's own
  std::thread thread_;
};

}  // namespace idem::test
