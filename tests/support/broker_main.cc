// idem_kafka_broker: runs a real Kafka broker (kafka_broker.h) for somebody else. Prints its bootstrap
// address as the one line of its output, then keeps it running until standard input ends or a SIGTERM or
// SIGINT comes.
//
// tests/run starts one for all tests and holds the other end of its input, so that the broker ends with it
// however it ends. By hand:
//   build/dev/tests/support/idem_kafka_broker          Ctrl-C ends it

#include "kafka_broker.h"
#include "kafka_tools.h"
#include "serve.h"

int main() { return idem::test::serve("idem_kafka_broker", idem::test::kafka_missing, &idem::test::KafkaBroker::bootstrap); }
