#include "on_kafka.h"

namespace idem::test {

std::vector<Record> messages(const std::string& prefix, int count, std::optional<std::int32_t> partition) {
  std::vector<Record> records;
  for (int i = 0; i < count; ++i) {
    const std::string id = prefix + std::to_string(i);
    records.push_back({.key = "key-" + std::to_string(i % 10),
                       .payload = "about " + id,
                       .headers = {{"id", id}},
                       .partition = partition});
  }
  return records;
}

std::vector<std::string> ids_of(const std::vector<Record>& records) {
  std::vector<std::string> ids;
  for (const Record& record : records)
    for (const auto& [name, value] : record.headers)
      if (name == "id" && value) ids.push_back(*value);
  return ids;
}

void OnKafka::SetUp() { IDEM_NEEDS("kafka", KafkaBroker::unavailable()); }

void OnKafka::send(const std::vector<Record>& records) {
  client().produce(topic, records);
  for (auto& id : ids_of(records)) sent.push_back(std::move(id));
}

KafkaOptions OnKafka::reading(std::map<std::string, std::string> properties) {
  KafkaOptions options;
  options.topics = {topic};
  properties.insert({{"bootstrap.servers", broker().bootstrap()},
                     {"group.id", group},
                     {"session.timeout.ms", "6000"},
                     {"heartbeat.interval.ms", "300"}});
  options.properties = std::move(properties);
  options.watch_interval = 200ms;
  return options;
}

KafkaOptions OnKafka::reading_fixed(std::vector<std::int32_t> partitions) {
  KafkaOptions options = reading();
  options.mode = KafkaOptions::Mode::fixed;
  options.partitions = std::move(partitions);
  return options;
}

Life OnKafka::catch_up(const KafkaOptions& reads, const RuntimeOptions& options, Recorder::Before before) {
  auto store = open_store(file);
  KafkaSource source(reads);
  Recorder handler(std::move(before));
  Runtime runtime(options);
  runtime.add(source, *store, handler);
  Exit exit = runtime.run_until_caught_up();
  return {std::move(exit), runtime.counters(), handler.calls()};
}

std::map<std::int32_t, std::int64_t> OnKafka::committed() {
  std::vector<std::int32_t> partitions;
  for (int i = 0; i < broker().admin().partition_count(topic); ++i) partitions.push_back(i);
  std::map<std::int32_t, std::int64_t> offsets;
  for (const auto& [partition, found] : client().committed(group, topic, partitions))
    offsets[partition] = found.offset;
  return offsets;
}

std::map<std::int32_t, std::int64_t> OnKafka::log_ends() {
  std::map<std::int32_t, std::int64_t> ends;
  for (int i = 0; i < broker().admin().partition_count(topic); ++i)
    ends[i] = client().watermarks({topic, i}).high;
  return ends;
}

}  // namespace idem::test
