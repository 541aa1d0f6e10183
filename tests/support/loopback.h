// Addresses of servers on this machine.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

namespace idem::test {

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  return address;
}

}  // namespace idem::test
