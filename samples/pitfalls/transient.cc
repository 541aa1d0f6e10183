// PITFALL: a queue that is not durable, and messages that are not persistent. Each message is confirmed by the server,
// and all of them are gone when it has been restarted. published.cc sends the same messages, cured.
//
//   transient URI COUNT            prints the id of each message that it believes sent
#include <cstdio>
#include <iostream>

#include "channel.h"

void wait_for_confirm(const Connection& connection) {
  amqp_frame_t frame;
  if (amqp_simple_wait_frame(connection, &frame)) throw std::runtime_error("no confirm: the connection failed");
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
    throw std::runtime_error("no confirm: the server refuses the message");
}

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: transient URI COUNT\n"), 2;
  const Connection connection(argv[1]);
  const amqp_bytes_t queue = amqp_cstring_bytes("notes");
  amqp_queue_declare(connection, channel, queue, /*passive=*/0, /*durable=*/0, /*exclusive=*/0, /*auto_delete=*/0,
                     amqp_empty_table);
  check(amqp_get_rpc_reply(connection), "queue.declare");
  amqp_confirm_select(connection, channel);
  check(amqp_get_rpc_reply(connection), "confirm.select");

  for (int i = 0; i < std::stoi(argv[2]); ++i) {
    const std::string id = "note-" + std::to_string(i);
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG;  // and no delivery_mode
    properties.message_id = bytes(id);
    if (amqp_basic_publish(connection, channel, amqp_empty_bytes, queue, /*mandatory=*/1, /*immediate=*/0, &properties,
                           bytes("remember " + id)))
      throw std::runtime_error("the connection failed");
    wait_for_confirm(connection);
    std::cout << id << std::endl;
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "transient: %s\n", error.what());
  return 1;
}
