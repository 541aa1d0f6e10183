// idem_rabbit_broker: runs a real RabbitMQ (rabbit_broker.h) for somebody else. Prints its URI as the one line of its
// output, then keeps it running until standard input ends or a SIGTERM or SIGINT comes. See broker_main.cc.
#include "rabbit_broker.h"
#include "serve.h"

// The overload without arguments.
static const std::string& (idem::test::RabbitBroker::*const uri)() const = &idem::test::RabbitBroker::uri;
int main() { return idem::test::serve("idem_rabbit_broker", idem::test::RabbitBroker::unavailable, uri); }
