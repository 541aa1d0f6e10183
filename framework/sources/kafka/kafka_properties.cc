#include "sources/kafka/kafka_properties.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace idem::kafka {
namespace {

bool is_secret(std::string_view name) {
  // Of sasl.oauthbearer.* the whole configuration may hold a client's secret.
  static constexpr std::string_view words[] = {"password",  "secret",   "ssl.key.pem", "sasl.oauthbearer.config",
                                               "sasl.jaas", "assertion"};
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

}  // namespace

std::vector<std::string> secrets_of(const std::map<std::string, std::string>& properties) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : properties)
    if (is_secret(name) && !value.empty()) secrets.push_back(value);
  return secrets;
}

std::string redact(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets)
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += 3)
      text.replace(at, secret.size(), "***");
  return text;
}

Properties::Properties(std::string whose, const std::vector<std::string>& secrets)
    : conf_(rd_kafka_conf_new()), whose_(std::move(whose)), secrets_(secrets) {}

void Properties::set(const std::string& name, const std::string& value) {
  char why[512] = "";
  if (rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK) return;
  throw std::invalid_argument(whose_ + ": property " + name + ": " + redact(why, secrets_) +
                              " (the names and values are those of librdkafka's CONFIGURATION.md)");
}

std::string Properties::get(const char* name) const {
  std::size_t size = 0;
  if (rd_kafka_conf_get(conf_.get(), name, nullptr, &size) != RD_KAFKA_CONF_OK || size == 0) return "";
  std::string value(size, '\0');
  rd_kafka_conf_get(conf_.get(), name, value.data(), &size);
  value.resize(size - 1);  // size counts the NUL
  return value;
}

}  // namespace idem::kafka
