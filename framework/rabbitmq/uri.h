// amqp:// addresses, and texts without the password in them.
#pragma once

#include <string>
#include <string_view>

namespace idem::rabbit {

struct Address {
  std::string host;
  int port = 0;
  std::string to_string() const;  ///< host:port, an IPv6 host in brackets
};

struct Uri {
  bool tls = false;
  std::string user = "guest", password = "guest", vhost = "/";
  Address address;
};

/// Throws std::invalid_argument, in whose text the URI is redacted.
Uri parse_uri(std::string_view text);
/// "host" or "host:port"; throws std::invalid_argument.
Address parse_address(std::string_view text, int default_port);
/// The URI with *** for its password; also for texts that are no good URI.
std::string redact_uri(std::string_view text);

}  // namespace idem::rabbit
