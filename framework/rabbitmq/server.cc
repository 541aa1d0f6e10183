#include "rabbitmq/server.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace idem::rabbit {
namespace {

void check_tls(const Owner& owner, const RabbitTls& tls, const Uri& uri) {
  owner.require(tls.certificate_file.empty() == tls.key_file.empty(), "tls",
                "needs certificate_file and key_file together, or neither");
  const bool any = !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.verify;
  owner.require(uri.tls || !any, "tls", "is set, but the URI begins with amqp://: write amqps://");
  owner.require(!uri.tls || !tls.verify || !tls.ca_file.empty(), "tls.ca_file",
                "is empty: name the file with the certificate authority that signed the server's certificate");
}

}  // namespace

void Owner::require(bool good, const std::string& member_name, const std::string& problem) const {
  if (!good) throw std::invalid_argument(what + ": " + member(member_name) + " " + problem);
}

void Owner::require_name(const std::string& name, const std::string& member_name) const {
  require(!name.empty(), member_name, "is empty");
  require(name.size() <= longest_name, member_name, "is longer than 255 bytes, which AMQP does not allow");
}

std::string Server::password() const {
  if (!password_env.empty()) {
    const char* value = std::getenv(password_env.c_str());
    if (!value)
      throw std::runtime_error(owner.member("password_env") + " names " + password_env +
                               ", which is not set in the environment");
    return value;
  }
  if (password_file.empty()) return uri.password;
  std::ifstream file(password_file);
  std::string line;
  if (!std::getline(file, line))
    throw std::runtime_error(owner.member("password_file") + " \"" + password_file + "\" cannot be read or is empty");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string Server::not_reached(const std::string& failures) const {
  return owner.what + ": " + failures + "; check " + owner.member("uri") + " (" + redacted_uri +
         ") and that the server runs";
}

Server make_server(const Owner& owner, const std::string& connection_name, const ServerMembers& members) {
  using namespace std::chrono_literals;
  Server made;
  made.owner = owner;
  made.connection_name = connection_name;
  made.redacted_uri = redact_uri(members.uri);
  try {
    made.uri = parse_uri(members.uri);
  } catch (const std::invalid_argument& e) {
    owner.require(false, "uri", e.what());
  }
  made.addresses.push_back(made.uri.address);
  for (const std::string& host : members.more_hosts) {
    try {
      made.addresses.push_back(parse_address(host, made.uri.address.port));
    } catch (const std::invalid_argument& e) {
      owner.require(false, "more_hosts", "has \"" + host + "\": " + e.what());
    }
  }
  owner.require(members.password_file.empty() || members.password_env.empty(), "password_file",
                "and password_env are both given: choose one");
  owner.require(members.heartbeat >= 1s && members.heartbeat <= 65'535s, "heartbeat", "must be between 1 and 65535 s");
  check_tls(owner, members.tls, made.uri);
  made.password_file = members.password_file;
  made.password_env = members.password_env;
  made.tls = members.tls;
  made.heartbeat = members.heartbeat;
  return made;
}

}  // namespace idem::rabbit
