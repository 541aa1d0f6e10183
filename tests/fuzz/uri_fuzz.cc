// Addresses of RabbitMQ: whatever comes is taken or refused, and no password is seen in what is said about it.
//
// The first byte chooses: a text as it comes, or a URI built around a password that can be recognised.
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "input.h"
#include "rabbitmq/uri.h"

namespace {

using idem::fuzz::Input;
using idem::fuzz::promise;
using namespace idem::rabbit;

constexpr std::string_view secret = "8c4e6f1d";

/// Empty if it was taken.
std::string refusal(std::string_view text) {
  try {
    const Uri uri = parse_uri(text);
    promise(!uri.address.host.empty(), "there is a host", text);
    promise(uri.address.port >= 1 && uri.address.port <= 65535, "the port is one", text);
    for (const std::string* part : {&uri.user, &uri.password, &uri.vhost})
      promise(part->find('\0') == std::string::npos, "no part has a NUL", text);
    promise(parse_address(uri.address.to_string(), 1).to_string() == uri.address.to_string(),
            "an address is read as it is written", text);
  } catch (const std::invalid_argument& error) {  // anything else is a finding
    return error.what();
  }
  return "";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t shape = input.byte();
  if (shape == 0) {
    const std::string_view text = input.rest();
    (void)refusal(text);
    (void)redact_uri(text);
    return 0;
  }
  static constexpr const char* schemes[] = {"amqp://", "amqps://", "http://", ""};
  const std::string user(input.text()), before(input.text()), after(input.text()), host(input.rest());
  if ((user + "\n" + host).find(secret) != std::string::npos) return 0;  // it has been guessed
  // "amqp" as a user's name and a password that begins with //: nobody could tell that from a scheme.
  if (before.starts_with("//")) return 0;
  const std::string text =
      schemes[shape % 4] + user + ":" + before + std::string(secret) + after + "@" + host;
  promise(redact_uri(text).find(secret) == std::string::npos, "a redacted URI has no password", text);
  promise(refusal(text).find(secret) == std::string::npos, "a refusal has no password", text);
  return 0;
}
