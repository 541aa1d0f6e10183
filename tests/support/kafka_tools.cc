#include "kafka_tools.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "process.h"

namespace idem::test {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool on_path(const std::string& program) {
  std::istringstream directories(environment("PATH"));
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

// Reads the table that the tool prints: a line of column names, then a line per partition. The columns differ
// between the tool's commands and Kafka's versions, so they are found by name. Rows without an offset ("-")
// are left out.
std::map<TopicPartition, std::int64_t> parse_offsets(const std::string& output, const std::string& column) {
  std::map<TopicPartition, std::int64_t> result;
  std::vector<std::string> header;
  auto place = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> row = words(line);
    if (!row.empty() && row.front() == "GROUP") {
      header = row;
      continue;
    }
    const std::size_t topic = place("TOPIC"), partition = place("PARTITION"), offset = place(column);
    if (header.empty() || row.size() <= std::max({topic, partition, offset}) || row[offset] == "-") continue;
    result[{row[topic], std::stoi(row[partition])}] = std::stoll(row[offset]);
  }
  return result;
}

}  // namespace

std::filesystem::path kafka_libs() {
  std::string chosen = environment("IDEM_KAFKA_LIBS");
  if (!chosen.empty()) return chosen;
  return std::filesystem::path(IDEM_SOURCE_DIR) / ".cache/kafka-4.3.1";
}

std::optional<std::string> kafka_missing() {
  const auto libs = kafka_libs();
  if (!std::filesystem::is_directory(libs)) {
    return "no Kafka in " + libs.string() + " (tests/parts/fetch-kafka fetches it)";
  }
  if (!on_path("java")) return "no java on the PATH (Debian: default-jre-headless)";
  return std::nullopt;
}

std::map<TopicPartition, std::int64_t> KafkaTools::committed(const std::string& group) const {
  return parse_offsets(consumer_groups({"--describe", "--offsets", "--group", group}), "CURRENT-OFFSET");
}

std::map<TopicPartition, std::int64_t> KafkaTools::reset_offsets(
    const std::string& group, const std::string& topic, const std::vector<std::string>& target) const {
  std::vector<std::string> arguments = {"--reset-offsets", "--group", group, "--topic", topic, "--execute"};
  arguments.insert(arguments.end(), target.begin(), target.end());
  std::string output = consumer_groups(arguments);
  auto offsets = parse_offsets(output, "NEW-OFFSET");
  // The tool exits with 0 even when it refuses, for instance because the group has members.
  if (offsets.empty()) throw std::runtime_error("reset offsets of " + group + ": " + output);
  return offsets;
}

std::string KafkaTools::consumer_groups(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {"--bootstrap-server", bootstrap_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", all);
}

std::string KafkaTools::run(const std::string& java_class, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"java",
                                      "-XX:TieredStopAtLevel=1",
                                      "-XX:+UseSerialGC",
                                      "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                                      "-cp",
                                      (kafka_libs() / "*").string(),
                                      java_class};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Finished finished = idem::test::run(command);
  if (!finished.status.ok()) {
    throw std::runtime_error(java_class + " ended with " + finished.status.to_string() + ": " +
                             finished.output);
  }
  return finished.output;
}

}  // namespace idem::test
