// PITFALL: sending without confirms. The queue is durable and each message persistent, but amqp_basic_publish returns
// when the message is in a buffer of this machine: what the server had not read, or not written, when it died is lost,
// and nobody knows what that was. published.cc sends the same messages, cured.
//
//   fire_and_forget URI COUNT      prints the id of each message that it believes sent
#include <chrono>
#include <cstdio>
#include <iostream>
#include <thread>

#include "channel.h"

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: fire_and_forget URI COUNT\n"), 2;
  const Connection connection(argv[1]);
  const amqp_bytes_t queue = amqp_cstring_bytes("notes");
  amqp_queue_declare(connection, channel, queue, /*passive=*/0, /*durable=*/1, /*exclusive=*/0, /*auto_delete=*/0,
                     amqp_empty_table);
  check(amqp_get_rpc_reply(connection), "queue.declare");

  for (int i = 0; i < std::stoi(argv[2]); ++i) {
    const std::string id = "note-" + std::to_string(i);
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.message_id = bytes(id);
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    if (amqp_basic_publish(connection, channel, amqp_empty_bytes, queue, /*mandatory=*/1, /*immediate=*/0, &properties,
                           bytes("remember " + id)))
      throw std::runtime_error("the connection failed");
    std::cout << id << std::endl;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // what a service does between two messages
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "fire_and_forget: %s\n", error.what());
  return 1;
}
