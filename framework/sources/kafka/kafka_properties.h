// librdkafka's properties by name, and which of their values must not be seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sources/kafka/kafka_handles.h"

namespace idem::kafka {

/// The values of the properties that hold one (passwords, private keys).
std::vector<std::string> secrets_of(const std::map<std::string, std::string>& properties);

/// `text` with each secret blotted out.
std::string redact(std::string text, const std::vector<std::string>& secrets);

class Properties {
 public:
  /// `whose` begins the texts of errors: "Kafka source".
  Properties(std::string whose, const std::vector<std::string>& secrets);

  /// Throws std::invalid_argument for a name or value that librdkafka does not have.
  void set(const std::string& name, const std::string& value);
  /// As librdkafka understood it ("TRUE" reads back as "true"); "" for a property that this version does not have.
  std::string get(const char* name) const;
  long number(const char* name) const { return std::stol(get(name)); }
  Conf take() { return std::move(conf_); }

 private:
  Conf conf_;
  const std::string whose_;
  const std::vector<std::string>& secrets_;
};

}  // namespace idem::kafka
