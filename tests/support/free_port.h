// Ports for the servers that tests start.
#pragma once

namespace idem::test {

// A port that nobody listens on at loopback. Chosen at random below the range that the kernel hands out to outgoing
// connections: one of those could take the port while a server is down between its end and its return.
int free_port();

}  // namespace idem::test
