#include "rabbitmq/uri.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace idem::rabbit {
namespace {

constexpr int plain_port = 5672, tls_port = 5671;

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text, const char* part) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex(text[i + 1]) : -1, low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
    if (high < 0 || low < 0) throw std::invalid_argument(std::string("bad percent-encoding in the ") + part);
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (decoded.find('\0') != std::string::npos) throw std::invalid_argument(std::string("a NUL in the ") + part);
  return decoded;
}

Uri parse(std::string_view text) {
  Uri uri;
  const auto take = [&text](std::string_view prefix) {
    const bool there = text.starts_with(prefix);
    if (there) text.remove_prefix(prefix.size());
    return there;
  };
  uri.tls = take("amqps://");
  if (!uri.tls && !take("amqp://")) throw std::invalid_argument("it must begin with amqp:// or amqps://");
  if (const auto query = text.find_first_of("?#"); query != std::string_view::npos)
    throw std::invalid_argument("it must not have a query (heartbeat and the like are members of the options)");

  const auto slash = text.find('/');
  const std::string_view authority = text.substr(0, slash);
  if (slash != std::string_view::npos && slash + 1 < text.size()) {
    const std::string_view vhost = text.substr(slash + 1);
    if (vhost.find('/') != std::string_view::npos)
      throw std::invalid_argument("a / in the vhost must be written %2f");
    uri.vhost = decode(vhost, "vhost");
  }
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view credentials = authority.substr(0, at);
    const auto colon = credentials.find(':');
    uri.user = decode(credentials.substr(0, colon), "user name");
    uri.password = colon == std::string_view::npos ? "" : decode(credentials.substr(colon + 1), "password");
  }
  uri.address = parse_address(at == std::string_view::npos ? authority : authority.substr(at + 1),
                              uri.tls ? tls_port : plain_port);
  return uri;
}

}  // namespace

std::string Address::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_address(std::string_view text, int default_port) {
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) throw std::invalid_argument("an IPv6 host lacks its ]");
    address.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') throw std::invalid_argument("something other than a port after the ]");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const auto colon = text.find(':');
    address.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon + 1);
  }
  if (address.host.empty()) throw std::invalid_argument("there is no host in it");
  address.port = default_port;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc() || end != port.data() + port.size() || address.port < 1 || address.port > 65535)
      throw std::invalid_argument("its port is no number between 1 and 65535");
  }
  return address;
}

Uri parse_uri(std::string_view text) {
  try {
    return parse(text);
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument("\"" + redact_uri(text) + "\" is refused: " + e.what());
  }
}

// Nothing is known of a text that is no good URI, so in doubt it is a password: only amqp:// and amqps:// count as a
// scheme, everything up to the last @ as credentials, and what is no port number after the host as one whose host was
// forgotten.
std::string redact_uri(std::string_view text) {
  static constexpr std::string_view digits = "0123456789";
  std::string shown;
  const auto show = [&](std::size_t size) {
    shown += text.substr(0, size);
    text.remove_prefix(std::min(size, text.size()));
  };
  for (const std::string_view scheme : {"amqp://", "amqps://"})
    if (text.starts_with(scheme)) {
      show(scheme.size());
      break;
    }
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    if (const auto colon = text.find(':'); colon < at) {
      show(colon);
      shown += ":***";
      text.remove_prefix(at - colon);
    } else {
      show(at);
    }
    show(1);
  }
  if (text.starts_with('[')) show(text.find(']'));
  const auto colon = text.find(':'), slash = text.find('/');
  if (colon >= slash) return shown.append(text);
  show(colon);
  const auto port_end = text.find_first_not_of(digits, 1);
  const bool port = port_end == std::string_view::npos || std::string_view("/?#").find(text[port_end]) != text.npos;
  return shown + (port ? std::string(text) : ":***");
}

}  // namespace idem::rabbit
