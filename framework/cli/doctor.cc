// idem doctor: the checks of idem/doctor.h from a command line.
#include <idem/doctor.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>

#include <idem/store.h>

#include "cli/command.h"
#include "cli/duration.h"

namespace idem::cli {
namespace {

struct Asked {
  std::string kafka, property_file;
  std::vector<std::string> topics, properties;
  RabbitDoctorOptions rabbitmq{.uri = {}};
  std::string store;
  bool skip_integrity = false;
  std::string retention = "7d", consumer_timeout = "30min", timeout = "15s";
  bool json = false;
};

// What this build lacks is refused, by the name of what it lacks; it is not left out of the report in silence.
[[noreturn, maybe_unused]] void lacks(const std::string& option, const std::string& part, const std::string& package) {
  throw std::invalid_argument(option + ": this idem was built without " + part + " (Debian package " + package + ")");
}

#ifdef IDEM_WITH_SQLITE
Report store_report(const Asked& asked) {
  return examine_store(asked.store, {.retention = parse_duration(asked.retention), .integrity = !asked.skip_integrity});
}
std::vector<RememberedTopic> remembered(const Asked& asked) {
  try {
    if (!asked.store.empty()) return remembered_topics(asked.store);
  } catch (const StoreError&) {
    // The report about the store says what is wrong with it.
  }
  return {};
}
#else
Report store_report(const Asked&) { lacks("--store", "SQLite", "libsqlite3-dev"); }
[[maybe_unused]] std::vector<RememberedTopic> remembered(const Asked&) { return {}; }
#endif

/// name=value; a line of a file may also be empty or a comment.
void take_property(const std::string& text, std::map<std::string, std::string>& properties) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw std::invalid_argument("a Kafka property is written name=value");  // the text may be a password: not shown
  properties[text.substr(0, equals)] = text.substr(equals + 1);
}

[[maybe_unused]] std::map<std::string, std::string> properties_of(const Asked& asked) {
  std::map<std::string, std::string> properties;
  if (!asked.property_file.empty()) {
    std::ifstream file(asked.property_file);
    if (!file) throw std::invalid_argument("--property-file " + asked.property_file + " cannot be read");
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty() && line.front() != '#') take_property(line, properties);
    }
  }
  for (const std::string& property : asked.properties) take_property(property, properties);
  if (!asked.kafka.empty()) properties["bootstrap.servers"] = asked.kafka;
  return properties;
}

#ifdef IDEM_WITH_KAFKA
Report kafka_report(const Asked& asked) {
  return examine_kafka({.properties = properties_of(asked),
                        .topics = asked.topics,
                        .retention = parse_duration(asked.retention),
                        .remembered = remembered(asked),
                        .timeout = parse_duration(asked.timeout)});
}
#else
Report kafka_report(const Asked&) { lacks("--kafka", "Kafka", "librdkafka-dev"); }
#endif

#ifdef IDEM_WITH_RABBITMQ
Report rabbitmq_report(const Asked& asked) {
  RabbitDoctorOptions options = asked.rabbitmq;
  options.consumer_timeout = parse_duration(asked.consumer_timeout);
  options.timeout = parse_duration(asked.timeout);
  return examine_rabbitmq(options);
}
#else
Report rabbitmq_report(const Asked&) { lacks("--rabbitmq", "RabbitMQ", "librabbitmq-dev"); }
#endif

void append(Report& report, Report more) {
  for (Check& check : more) report.push_back(std::move(check));
}

int run(const Asked& asked) {
  const bool kafka = !asked.kafka.empty() || !asked.property_file.empty();
  const bool rabbitmq = !asked.rabbitmq.uri.empty(), store = !asked.store.empty();
  if (!kafka && !rabbitmq && !store)
    throw std::invalid_argument("doctor: nothing to look at: give --kafka, --rabbitmq or --store");
  Report report;
  if (kafka) append(report, kafka_report(asked));
  if (rabbitmq) append(report, rabbitmq_report(asked));
  if (store) append(report, store_report(asked));
  std::fputs((asked.json ? to_json(report) : to_text(report)).c_str(), stdout);
  return exit_code(report);
}

void add_kafka_options(CLI::App& doctor, Asked& asked) {
  doctor.add_option("--kafka", asked.kafka, "bootstrap.servers of a Kafka cluster")
      ->type_name("HOST:PORT,…")
      ->group("Kafka");
  doctor.add_option("--topic", asked.topics, "a topic to look at; again for more")->type_name("TOPIC")->group("Kafka");
  doctor
      .add_option(
          "--property", asked.properties,
          "a librdkafka property; again for more. Those of producers (acks, retries, enable.idempotence) are judged")
      ->type_name("NAME=VALUE")
      ->group("Kafka");
  doctor
      .add_option(
          "--property-file", asked.property_file,
          "properties, one a line: for passwords, which other users of this machine could read on a command line")
      ->type_name("FILE")
      ->group("Kafka");
}

void add_rabbitmq_options(CLI::App& doctor, Asked& asked) {
  RabbitDoctorOptions& rabbitmq = asked.rabbitmq;
  const auto add = [&](const char* name, auto& member, const char* what, const char* type) {
    doctor.add_option(name, member, what)->type_name(type)->group("RabbitMQ");
  };
  add("--rabbitmq", rabbitmq.uri, "a RabbitMQ server: amqp[s]://user@host[:port][/vhost]", "URI");
  add("--queue", rabbitmq.queues, "a queue to look at; again for more", "QUEUE");
  add("--exchange", rabbitmq.exchanges, "an exchange to look at; again for more", "EXCHANGE");
  add("--management", rabbitmq.management,
      "the management API, which tells most of it: http[s]://[user@]host:15672; user and password are --rabbitmq's "
      "unless given",
      "URL");
  add("--password-env", rabbitmq.password_env, "the environment variable with the password", "NAME");
  add("--password-file", rabbitmq.password_file, "the file with the password", "FILE");
  add("--ca-file", rabbitmq.tls.ca_file, "for amqps:// and https://: the certificate authority", "FILE");
  add("--certificate-file", rabbitmq.tls.certificate_file, "this client's certificate", "FILE");
  add("--key-file", rabbitmq.tls.key_file, "its key", "FILE");
  add("--consumer-timeout", asked.consumer_timeout, "what RabbitOptions::consumer_timeout is set to (30min)", "TIME");
}

}  // namespace

void add_doctor(CLI::App& app, int& code) {
  const auto asked = std::make_shared<Asked>();
  CLI::App& doctor = *app.add_subcommand("doctor", "Is the broker set up not to lose? Asks, and changes nothing.");
  add_kafka_options(doctor, *asked);
  add_rabbitmq_options(doctor, *asked);
  doctor.add_option("--store", asked->store, "the SQLite file of a consumer; it may be running")
      ->type_name("FILE")
      ->group("Store");
  doctor.add_flag("--skip-integrity", asked->skip_integrity, "do not read the whole file (quick_check)")
      ->group("Store");
  doctor.add_option("--retention", asked->retention, "RuntimeOptions::retention of the consumer (7d)")
      ->type_name("TIME");
  doctor.add_option("--timeout", asked->timeout, "how long to wait for a broker (15s)")->type_name("TIME");
  doctor.add_flag("--json", asked->json, "for programs");
  doctor.footer(
      "A TIME is a number and a unit: 7d, 12h, 30min, 10s, 500ms.\n"
      "Exit code: 0 everything passes; 1 something fails; 2 nothing fails, and something is unknown; 3 usage.");
  doctor.callback([asked, &code] { code = run(*asked); });
}

}  // namespace idem::cli
