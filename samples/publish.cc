// Sends each line of input as a message, to Kafka or RabbitMQ, and says what is known of it: "ID stored", or what went
// wrong and what to do. Exit code 0: all of them are stored.
//
//   publish kafka    BOOTSTRAP_SERVERS TOPIC < lines
//   publish rabbitmq URI               QUEUE < lines
#include <idem/kafka_publisher.h>
#include <idem/rabbitmq_publisher.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <iostream>
#include <string>
#include <vector>

using Results = std::vector<std::future<idem::PublishResult>>;

std::string line;

// Here each message is waited for at the end. A service that sends for ever gives a callback instead.
Results to_kafka(idem::KafkaPublisher& publisher, const std::string& topic) {
  Results results;
  while (std::getline(std::cin, line))
    results.push_back(publisher.publish_async({.topic = topic, .key = line.substr(0, line.find(' ')), .payload = line}));
  return results;
}

Results to_rabbitmq(idem::RabbitPublisher& publisher, const std::string& queue) {
  Results results;
  while (std::getline(std::cin, line))
    results.push_back(publisher.publish_async({.routing_key = queue, .payload = line}));
  return results;
}

int report(Results results) {
  int bad = 0;
  for (auto& future : results) {
    const idem::PublishResult result = future.get();
    std::cout << result.id << ' ' << to_string(result.known) << (result.stored() ? "" : ": " + result.why) << '\n';
    switch (result.known) {
      case idem::PublishResult::Known::stored: break;
      case idem::PublishResult::Known::refused:   // certainly not stored: send it again when the cause is gone
      case idem::PublishResult::Known::returned:  // stored nowhere: there is no queue for it
      case idem::PublishResult::Known::unknown:   // perhaps stored: send it again with the same id
        ++bad;
    }
  }
  return bad == 0 ? 0 : 1;
}

int main(int argc, char** argv) try {
  const std::string broker = argc == 4 ? argv[1] : "";
  if (broker == "kafka") {
    idem::KafkaPublisher publisher({.properties = {{"bootstrap.servers", argv[2]}}});
    return report(to_kafka(publisher, argv[3]));
  }
  if (broker == "rabbitmq") {
    idem::RabbitPublisher publisher({.uri = argv[2], .topology = {.queues = {{.name = argv[3]}}}});
    return report(to_rabbitmq(publisher, argv[3]));
  }
  return std::fprintf(stderr, "usage: publish kafka|rabbitmq BROKER TOPIC_OR_QUEUE < lines\n"), 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "publish: %s\n", error.what());
  return 1;
}
