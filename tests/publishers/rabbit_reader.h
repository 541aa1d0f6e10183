// What lies in a RabbitMQ queue, read with Debian's python3-pika: a client that shares no line with idem or rabbitmq-c.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.h"

namespace idem::test {

struct FoundMessage {
  std::string id, payload;  ///< of a payload over 1,000 bytes what abridged() makes of it
  int delivery_mode = 0;
  std::int64_t timestamp = 0;
  std::string headers;  ///< as JSON, with names in order
};

/// Its size, the bytes around each of its 64 KiB, and its end.
inline std::string abridged(const std::string& payload) {
  std::string text = "#" + std::to_string(payload.size()) + " ";
  for (std::size_t i = 65'536; i < payload.size(); i += 65'536) text += payload.substr(i - 4, 8);
  return text + payload.substr(payload.size() - 8);
}

/// No two neighbourhoods in it are alike.
inline std::string varied(std::size_t size) {
  std::string payload;
  payload.reserve(size + 16);
  for (std::size_t i = 0; payload.size() < size; ++i) payload += std::to_string(i) + ",";
  payload.resize(size);
  return payload;
}

/// Why it cannot be done here; nullopt if it can.
inline std::optional<std::string> no_pika() {
  static const bool there = run({"/usr/bin/python3", "-c", "import pika"}).status.ok();
  if (there) return std::nullopt;
  return "there is no pika for /usr/bin/python3 (Debian package python3-pika)";
}

/// Takes everything out of the queue, acknowledging it, in order.
inline std::vector<FoundMessage> read_queue(const std::string& uri, const std::string& queue) {
  static const std::string program = R"(
import json, pika, sys
connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
channel = connection.channel()
while True:
    method, p, body = channel.basic_get(sys.argv[2], auto_ack=False)
    if method is None: break
    channel.basic_ack(method.delivery_tag)
    if len(body) > 1000:
        body = b'#%d ' % len(body) + b''.join(body[i-4:i+4] for i in range(65536, len(body), 65536)) + body[-8:]
    text = body.hex()
    print((p.message_id or '').encode().hex() or '-', text or '-', p.delivery_mode or 0, p.timestamp or 0,
          json.dumps(p.headers or {}, sort_keys=True))
connection.close()
)";
  const Finished finished = run({"/usr/bin/python3", "-c", program, uri, queue}, {}, std::chrono::seconds(240));
  if (!finished.status.ok()) throw std::runtime_error("pika: " + finished.output);
  const auto plain = [](const std::string& hex) {
    std::string text;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
      text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return hex == "-" ? std::string() : text;
  };
  std::vector<FoundMessage> found;
  std::istringstream lines(finished.output);
  std::string id, payload;
  for (FoundMessage m;
       lines >> id >> payload >> m.delivery_mode >> m.timestamp && std::getline(lines >> std::ws, m.headers);) {
    m.id = plain(id);
    m.payload = plain(payload);
    found.push_back(m);
  }
  return found;
}

inline std::map<std::string, int> count_ids(const std::vector<FoundMessage>& messages) {
  std::map<std::string, int> counts;
  for (const FoundMessage& message : messages) ++counts[message.id];
  return counts;
}

}  // namespace idem::test
