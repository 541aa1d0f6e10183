// The samples for RabbitMQ, run as a reader would.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "samples/ledger.h"
#include "support/process.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/require.h"
#include "support/unique_name.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

struct Line {
  std::size_t sent = 0, kept = 0, lost = 0;
};

// The line of the table for a program, after the title that it begins with.
Line line_of(const std::string& table, const std::string& title) {
  Line line;
  if (const auto at = table.find(title); at != std::string::npos)
    std::istringstream(table.substr(at + title.size())) >> line.sent >> line.kept >> line.lost;
  return line;
}

TEST(Pitfalls, LoseMessagesAndTheirCuresDoNot) {
  IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
  const Finished finished = run({IDEM_PITFALLS}, {}, 280s);
  EXPECT_TRUE(finished.status.ok()) << finished.output;
  for (const char* pitfall : {"automatic ack, queue in memory", "queue not durable", "sent without confirms"}) {
    const Line line = line_of(finished.output, pitfall);
    EXPECT_GT(line.lost, 0u) << pitfall << '\n' << finished.output;
    EXPECT_EQ(line.sent, line.kept + line.lost) << finished.output;
  }
  for (const char* cure : {"acknowledged after the commit", "durable queue, persistent messages", "sent until confirmed"}) {
    const Line line = line_of(finished.output, cure);
    EXPECT_GE(line.sent, 500u) << cure << '\n' << finished.output;
    EXPECT_EQ(line.kept, line.sent) << cure << '\n' << finished.output;
  }
}

TEST(PublishSample, SaysOfEachLineThatRabbitMqHasIt) {
  IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
  const std::string& uri = RabbitBroker::shared().uri();
  const std::string queue = unique_name("publish");
  const auto publish = [&](const std::string& to) {
    return run({"/bin/sh", "-c", "printf 'a 1\\nb 2\\n' | " + sample("publish") + " rabbitmq '" + uri + "' " + to});
  };
  const Finished sent = publish(queue);
  EXPECT_TRUE(sent.status.ok()) << sent.output;
  RabbitClient client(uri);
  std::string expected;
  for (const char* payload : {"a 1", "b 2"}) {
    const auto found = client.get(queue);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->payload, payload);
    expected += found->id.value_or("no id") + " stored\n";
  }
  EXPECT_EQ(sent.output, expected);
  client.delete_queue(queue);

  const Finished refused = publish("amq.ours");  // such names are the server's
  EXPECT_EQ(refused.status.code, 1);
  EXPECT_NE(refused.output.find("publish: RabbitMQ publisher: queue \"amq.ours\""), std::string::npos) << refused.output;
}

}  // namespace
}  // namespace idem::test
