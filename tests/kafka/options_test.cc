// What is refused before anything is connected, and that the text says what to do.
#include <librdkafka/rdkafka.h>

#include <stdexcept>

#include "running_source.h"

namespace idem::test {
namespace {

/// What start() says. No broker is asked: nothing listens there.
std::string refusal(KafkaOptions options) {
  RunningSource running(std::move(options));
  try {
    running.start();
  } catch (const std::invalid_argument& refused) {
    return refused.what();
  }
  return "accepted";
}

KafkaOptions good() { return options_for("127.0.0.1:1", "orders", "ledger"); }

std::string refusal_of(const std::string& property, const std::string& value) {
  KafkaOptions options = good();
  options.properties[property] = value;
  return refusal(std::move(options));
}

void expect_says(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << "\"" << word << "\" is missing in: " << text;
}

TEST(KafkaOptionsTest, a_property_that_does_not_exist) {
  expect_says(refusal_of("enable.autocommit", "false"), {"enable.autocommit", "No such configuration property"});
}

TEST(KafkaOptionsTest, a_bad_value) {
  expect_says(refusal_of("session.timeout.ms", "soon"), {"session.timeout.ms"});
  expect_says(refusal_of("fetch.wait.max.ms", "-7"), {"fetch.wait.max.ms"});
  // Each is good, together they are not: librdkafka's own check at the end.
  expect_says(refusal_of("max.poll.interval.ms", "10"), {"max.poll.interval.ms"});
}

TEST(KafkaOptionsTest, what_commits_by_itself) {
  expect_says(refusal_of("enable.auto.commit", "true"), {"enable.auto.commit=true", "leave it out"});
  expect_says(refusal_of("enable.auto.commit", "TRUE"), {"enable.auto.commit=true"});
  expect_says(refusal_of("enable.auto.offset.store", "1"), {"enable.auto.offset.store=true"});
  expect_says(refusal_of("offset.store.method", "file"), {"offset.store.method=file"});
}

TEST(KafkaOptionsTest, no_end_of_partition) {
  expect_says(refusal_of("enable.partition.eof", "false"), {"enable.partition.eof=false", "transaction marker"});
}

TEST(KafkaOptionsTest, the_cooperative_assignor_where_it_is_broken) {
  if (rd_kafka_version() >= 0x020a00ff) GTEST_SKIP() << "it works from 2.10 on";
  expect_says(refusal_of("partition.assignment.strategy", "cooperative-sticky"),
              {"cooperative-sticky", "2.10", "range"});
}

TEST(KafkaOptionsTest, more_prefetch_than_the_budget) {
  expect_says(refusal_of("queued.max.messages.kbytes", "1000000"), {"queued.max.messages.kbytes", "budget"});
}

TEST(KafkaOptionsTest, what_is_missing) {
  KafkaOptions options = good();
  options.properties.erase("group.id");
  expect_says(refusal(options), {"group.id"});
  options = good();
  options.properties.erase("bootstrap.servers");
  expect_says(refusal(options), {"bootstrap.servers"});
  options = good();
  options.topics.clear();
  expect_says(refusal(options), {"KafkaOptions::topics"});
}

TEST(KafkaOptionsTest, topics_and_partitions_that_make_no_sense) {
  KafkaOptions options = good();
  options.topics = {"^orders.*"};
  expect_says(refusal(options), {"^orders.*", "one by one"});
  options.topics = {"orders", "orders"};
  expect_says(refusal(options), {"\"orders\" twice"});
  options = good();
  options.partitions = {0, 0};
  expect_says(refusal(options), {"KafkaOptions::partitions", "0"});
  options.partitions = {1};
  options.mode = KafkaOptions::Mode::group;
  expect_says(refusal(options), {"KafkaOptions::partitions", "Mode::fixed"});
  options = good();
  options.watch_interval = 0ms;
  expect_says(refusal(options), {"watch_interval"});
}

TEST(KafkaOptionsTest, a_secret_does_not_get_into_a_text) {
  KafkaOptions options = good();
  options.properties["sasl.password"] = "hunter2-secret";
  options.properties["security.protocol"] = "hunter2-secret";  // pasted into the wrong line
  std::string text = refusal(options);
  expect_says(text, {"security.protocol", "***"});
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
}

}  // namespace
}  // namespace idem::test
