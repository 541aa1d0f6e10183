// What a RabbitMQ server says of itself, and nothing that was thought about it: over AMQP (amqp.cc) and, if asked, over
// the management plugin's HTTP API (management.cc). Judged in judgement.cc, which therefore needs no server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <idem/doctor.h>

#include "rabbitmq/server.h"

namespace idem::doctor {

/// What AMQP shows of an exchange or queue.
struct DeclaredFacts {
  std::string name;
  std::string error;  ///< why it cannot be used; the rest is empty then
  std::optional<bool> durable, auto_delete;
  std::string not_told;  ///< why these are not known
};

/// What the management API shows of a queue.
struct QueueFacts {
  std::string error;  ///< why it could not be read; the rest is empty then
  std::string type;   ///< classic, quorum, stream
  /// Arguments, and what policies add to them, without their "x-": dead-letter-exchange, message-ttl, overflow, …
  std::map<std::string, std::string> settings;
  std::string dead_letter_problem;  ///< why the dead-letter exchange would drop what it gets
  int members = 0;                  ///< of a replicated queue
  std::int64_t messages = 0, persistent = 0;

  const std::string* setting(const std::string& setting_name) const;
};

struct NodeFacts {
  std::string name;
  bool running = false, memory_alarm = false, disk_alarm = false, partitioned = false;
};

struct RabbitFacts {
  std::string server;                            ///< the URI, without its password
  std::string error;                             ///< why the server cannot be asked; the rest is empty then
  std::string version;                           ///< "3.10.8"; "": not told
  std::vector<DeclaredFacts> exchanges, queues;  ///< in the order of the options

  std::string management;  ///< its address; "": it is not asked
  std::map<std::string, QueueFacts> managed;
  std::vector<NodeFacts> nodes;
  std::string nodes_error;
};

/// Throws std::invalid_argument for options that are wrong.
rabbit::Server server_of(const RabbitDoctorOptions& options);

void ask_amqp(const rabbit::Server& server, const RabbitDoctorOptions& options, RabbitFacts& facts);
void ask_management(const rabbit::Server& server, const RabbitDoctorOptions& options, RabbitFacts& facts);

}  // namespace idem::doctor
