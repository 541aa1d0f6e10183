// A RabbitMQ server as options name it: where it is and how to log in, checked. What a source and a publisher share.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <idem/rabbitmq.h>

#include "rabbitmq/uri.h"

namespace idem::rabbit {

constexpr std::size_t longest_name = 255;  ///< bytes, of any short string in AMQP

/// Whose options something was said in, for texts that people read.
struct Owner {
  std::string what;     ///< "RabbitMQ source"
  std::string options;  ///< "RabbitOptions"

  std::string member(const std::string& name) const { return options + "::" + name; }
  /// Throws std::invalid_argument, "RabbitMQ source: RabbitOptions::member problem", unless `good`.
  void require(bool good, const std::string& member_name, const std::string& problem) const;
  /// That it can be the name of a queue or an exchange.
  void require_name(const std::string& name, const std::string& member_name) const;
};

struct Server {
  Owner owner;
  std::string connection_name;     ///< for operators
  Uri uri;
  std::string redacted_uri;
  std::vector<Address> addresses;  ///< the URI's first
  std::string password_file, password_env;
  RabbitTls tls;
  std::chrono::seconds heartbeat{30};

  /// As of now: from the file or the environment, else the URI's. Throws std::runtime_error.
  std::string password() const;
  /// No address has led to a server; `failures` says why.
  std::string not_reached(const std::string& failures) const;
};

struct ServerMembers {
  const std::string &uri, &password_file, &password_env;
  const std::vector<std::string>& more_hosts;
  const RabbitTls& tls;
  std::chrono::seconds heartbeat;
};

/// Throws std::invalid_argument, naming the member.
Server make_server(const Owner& owner, const std::string& connection_name, const ServerMembers& members);

/// Of any options that have these members.
template <class Options>
Server server_of(const Owner& owner, const std::string& connection_name, const Options& options) {
  return make_server(owner, connection_name,
                     {options.uri, options.password_file, options.password_env, options.more_hosts, options.tls,
                      options.heartbeat});
}

}  // namespace idem::rabbit
