#include <nlohmann/json.hpp>

#include <stdexcept>

#include "doctor/rabbitmq/facts.h"
#include "doctor/rabbitmq/http.h"

namespace idem::doctor {
namespace {

using Json = nlohmann::json;

constexpr int default_port = 15672;

std::string percent_encoded(const std::string& text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (plain)
      encoded += c;
    else
      encoded += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return encoded;
}

/// http://… with a user and a password in it has the parts of an amqp:// address.
HttpServer http_server(const rabbit::Server& server, const RabbitDoctorOptions& options) {
  const std::string& url = options.management;
  const bool tls = url.starts_with("https://");
  server.owner.require(tls || url.starts_with("http://"), "management", "must begin with http:// or https://");
  std::string rest = url.substr(tls ? 8 : 7);
  if (rest.ends_with('/')) rest.pop_back();
  const auto at = rest.rfind('@');
  HttpServer made{.tls = tls, .tls_options = options.tls, .timeout = options.timeout};
  try {
    const rabbit::Uri uri = rabbit::parse_uri("amqp://" + rest);
    const rabbit::Address address =
        rabbit::parse_address(at == std::string::npos ? rest : rest.substr(at + 1), default_port);
    made.address = address.to_string();
    made.user = at == std::string::npos ? server.uri.user : uri.user;
    made.password = at == std::string::npos ? server.password() : uri.password;
  } catch (const std::invalid_argument&) {
    server.owner.require(false, "management",
                         "is not http[s]://[user[:password]@]host[:port]: " + rabbit::redact_uri(url));
  }
  return made;
}

class Management {
 public:
  Management(HttpServer server, std::string vhost) : server_(std::move(server)), vhost_(percent_encoded(vhost)) {}

  std::vector<NodeFacts> nodes(std::string& error) const;
  QueueFacts queue(const std::string& name) const;

 private:
  /// The answer; or, in `error`, why there is none. 404 is no error: then it is null.
  Json get(const std::string& path, std::string& error) const;
  std::string in_vhost(const std::string& kind, const std::string& name) const {
    return "/api/" + kind + "/" + vhost_ + "/" + percent_encoded(name);
  }
  std::string dead_letter_problem(const std::string& exchange) const;

  const HttpServer server_;
  const std::string vhost_;
};

Json Management::get(const std::string& path, std::string& error) const {
  const HttpAnswer answer = http_get(server_, path);
  error = answer.error;
  if (!error.empty()) return {};
  switch (answer.status) {
    case 200:
      break;
    case 404:
      return {};
    case 401:
    case 403:
      error = "the management API at " + server_.address + " refuses user \"" + server_.user +
              "\": it needs its password and the tag \"monitoring\"";
      return {};
    default:
      error = "the management API at " + server_.address + " answers with status " + std::to_string(answer.status);
      return {};
  }
  Json parsed = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_discarded()) return parsed;
  error = "what answers at " + server_.address + " is not RabbitMQ's management API";
  return {};
}

bool is_true(const Json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::int64_t number(const Json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::vector<NodeFacts> Management::nodes(std::string& error) const {
  std::vector<NodeFacts> found;
  const Json answer = get("/api/nodes", error);
  if (!answer.is_array()) {
    if (error.empty()) error = "what answers at " + server_.address + " is not RabbitMQ's management API";
    return found;
  }
  for (const Json& node : answer) {
    if (!node.is_object()) continue;
    const auto partitions = node.find("partitions");
    found.push_back({.name = text(node.value("name", Json("?"))),
                     .running = is_true(node, "running"),
                     .memory_alarm = is_true(node, "mem_alarm"),
                     .disk_alarm = is_true(node, "disk_free_alarm"),
                     .partitioned = partitions != node.end() && partitions->is_array() && !partitions->empty()});
  }
  return found;
}

/// Settings of a queue under their common names. An argument goes before a policy.
std::map<std::string, std::string> settings_of(const Json& queue) {
  std::map<std::string, std::string> settings;
  for (const char* from : {"arguments", "effective_policy_definition"}) {
    const auto found = queue.find(from);
    if (found == queue.end() || !found->is_object()) continue;  // an empty one may be a list
    for (const auto& [name, value] : found->items())
      settings.emplace(name.starts_with("x-") ? name.substr(2) : name, text(value));
  }
  return settings;
}

QueueFacts Management::queue(const std::string& name) const {
  QueueFacts facts;
  const Json answer = get(in_vhost("queues", name), facts.error);
  if (!facts.error.empty()) return facts;
  if (!answer.is_object()) {
    facts.error = "the management API does not know the queue";
    return facts;
  }
  facts.type = text(answer.value("type", Json("classic")));
  facts.settings = settings_of(answer);
  const auto members = answer.find("members");
  facts.members = members != answer.end() && members->is_array() ? static_cast<int>(members->size()) : 0;
  facts.messages = number(answer, "messages");
  facts.persistent = number(answer, "messages_persistent");
  if (const std::string* exchange = facts.setting("dead-letter-exchange"); exchange && !exchange->empty())
    facts.dead_letter_problem = dead_letter_problem(*exchange);
  return facts;
}

std::string Management::dead_letter_problem(const std::string& exchange) const {
  std::string error;
  const Json found = get(in_vhost("exchanges", exchange), error);
  if (error.empty() && !found.is_object()) return "exchange \"" + exchange + "\" does not exist";
  const Json bindings = get(in_vhost("exchanges", exchange) + "/bindings/source", error);
  if (error.empty() && bindings.is_array() && bindings.empty())
    return "no queue is bound to exchange \"" + exchange + "\"";
  return "";
}

}  // namespace

const std::string* QueueFacts::setting(const std::string& setting_name) const {
  const auto found = settings.find(setting_name);
  return found == settings.end() ? nullptr : &found->second;
}

void ask_management(const rabbit::Server& server, const RabbitDoctorOptions& options, RabbitFacts& facts) {
  if (options.management.empty()) return;
  const HttpServer http = http_server(server, options);
  facts.management = http.address;
  const Management management(http, server.uri.vhost);
  facts.nodes = management.nodes(facts.nodes_error);
  for (const DeclaredFacts& queue : facts.queues)
    if (queue.error.empty()) facts.managed[queue.name] = management.queue(queue.name);
}

}  // namespace idem::doctor
