// The cure of transient.cc and fire_and_forget.cc: RabbitPublisher. The queue it declares is durable and each message
// persistent, or it refuses; a message counts as sent when the server has confirmed it, and what is unanswered when the
// server dies is sent again with the same id when it is back.
//
//   published URI COUNT            prints the id of each message that is stored
#include <idem/rabbitmq_publisher.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <thread>

int main(int argc, char** argv) try {
  using namespace std::chrono_literals;
  if (argc != 3) return std::fprintf(stderr, "usage: published URI COUNT\n"), 2;
  idem::RabbitPublisher publisher({.uri = argv[1], .topology = {.queues = {{.name = "notes"}}}});

  for (int i = 0; i < std::stoi(argv[2]); ++i) {
    const std::string id = "note-" + std::to_string(i);
    publisher.publish_async({.routing_key = "notes", .payload = "remember " + id, .id = id},
                            [](const idem::PublishResult& result) {
                              if (result.stored())
                                std::cout << result.id << std::endl;
                              else
                                std::cerr << result.id << ": " << to_string(result.known) << ": " << result.why << '\n';
                            });
    std::this_thread::sleep_for(1ms);  // what a service does between two messages
  }
  return publisher.close(60s).empty() ? 0 : 1;  // waits for the last confirms
} catch (const std::exception& error) {
  std::fprintf(stderr, "published: %s\n", error.what());
  return 1;
}
