#include "doctor/kafka/facts.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>

#include "doctor/kafka/judgement.h"
#include "sources/kafka/kafka_lookup.h"
#include "sources/kafka/kafka_properties.h"

namespace idem::doctor {
namespace {

using kafka::AdminOptions;
using kafka::Deadline;
using kafka::Metadata;
using kafka::remaining;
using std::chrono::steady_clock;

constexpr const char* offsets_topic = "__consumer_offsets";

template <auto destroy>
struct By {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};
using Client = std::unique_ptr<rd_kafka_t, By<rd_kafka_destroy>>;
using Resource = std::unique_ptr<rd_kafka_ConfigResource_t, By<rd_kafka_ConfigResource_destroy>>;

/// A consumer without a group: it joins nothing, and unlike a producer it creates no topic by asking for it.
class Cluster {
 public:
  Cluster(const KafkaDoctorOptions& options, Deadline deadline);

  /// All topics of the cluster; nullptr: nobody answered, and why.
  Metadata metadata(std::string& why);
  std::string id() const;
  /// Fills in each topic's configuration, or why it is not known.
  void describe(std::vector<TopicFacts>& topics) const;

 private:
  static void set_properties(kafka::Properties& properties, const KafkaDoctorOptions& options);
  /// The last error that librdkafka reported on the side; true: asking again leads nowhere.
  bool take_errors(std::string& why);

  const Deadline deadline_;
  const std::vector<std::string> secrets_;
  Client client_;
  kafka::Queue events_;
};

Cluster::Cluster(const KafkaDoctorOptions& options, Deadline deadline)
    : deadline_(deadline), secrets_(kafka::secrets_of(options.properties)) {
  kafka::Properties properties("Kafka doctor", secrets_);
  set_properties(properties, options);
  kafka::Conf conf = properties.take();
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_ERROR);
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  char why[512] = "";
  client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why, sizeof why));
  if (!client_) throw std::invalid_argument("Kafka doctor: " + kafka::redact(why, secrets_));
  (void)conf.release();  // rd_kafka_new took it over
  events_.reset(rd_kafka_queue_get_main(client_.get()));
}

void Cluster::set_properties(kafka::Properties& properties, const KafkaDoctorOptions& options) {
  properties.set("client.id", "idem-doctor");
  for (const auto& [name, value] : options.properties) {
    // A group's name alone makes the client look for its coordinator, which creates __consumer_offsets.
    if (name == "group.id" || name == "group.instance.id") continue;
    // What a producer must not have is judged, not obeyed; librdkafka would refuse some of it.
    if (!is_judged_of_producers(name)) properties.set(name, value);
  }
}

bool Cluster::take_errors(std::string& why) {
  bool hopeless = false;
  while (kafka::Event event{rd_kafka_queue_poll(events_.get(), 0)}) {
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) continue;
    const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !why.empty()) continue;  // says less than what came before
    why = kafka::redact(rd_kafka_event_error_string(event.get()), secrets_);
    hopeless = hopeless || error == RD_KAFKA_RESP_ERR__AUTHENTICATION;
  }
  return hopeless;
}

Metadata Cluster::metadata(std::string& why) {
  std::string reported;
  while (true) {
    const rd_kafka_metadata_t* answer = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(client_.get(), /*all_topics=*/1, nullptr, &answer, std::min(remaining(deadline_), 2'000));
    if (!error) return Metadata(answer);
    const bool hopeless = take_errors(reported);
    why = reported.empty() ? rd_kafka_err2str(error) : reported;
    if (hopeless || steady_clock::now() >= deadline_) return nullptr;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

std::string Cluster::id() const {
  char* id = rd_kafka_clusterid(client_.get(), std::min(remaining(deadline_), 2'000));  // old brokers have none
  if (!id) return "";
  std::string copy(id);
  rd_kafka_mem_free(client_.get(), id);
  return copy;
}

void read_configuration(const rd_kafka_ConfigResource_t* resource, TopicFacts& topic) {
  if (rd_kafka_ConfigResource_error(resource)) {
    const char* words = rd_kafka_ConfigResource_error_string(resource);
    topic.configuration_error = words ? words : rd_kafka_err2str(rd_kafka_ConfigResource_error(resource));
    return;
  }
  topic.configuration_error.clear();
  std::size_t count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(resource, &count);
  for (const rd_kafka_ConfigEntry_t* entry : std::span(entries, count))
    if (const char* value = rd_kafka_ConfigEntry_value(entry))
      topic.configuration[rd_kafka_ConfigEntry_name(entry)] = value;
}

void Cluster::describe(std::vector<TopicFacts>& topics) const {
  std::vector<Resource> resources;
  std::vector<rd_kafka_ConfigResource_t*> asked;
  for (TopicFacts& topic : topics) {
    if (!topic.error.empty()) continue;
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.name.c_str()));
    asked.push_back(resources.back().get());
    topic.configuration_error = "the cluster did not answer";
  }
  if (asked.empty()) return;
  AdminOptions options(rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), remaining(deadline_), why, sizeof why);
  kafka::Queue queue(rd_kafka_queue_new(client_.get()));
  rd_kafka_DescribeConfigs(client_.get(), asked.data(), asked.size(), options.get(), queue.get());
  kafka::Event event(rd_kafka_queue_poll(queue.get(), remaining(deadline_) + 1'000));
  if (!event) return;
  const auto of = [&](const std::string& name) -> TopicFacts& {
    return *std::find_if(topics.begin(), topics.end(), [&](const TopicFacts& t) { return t.name == name; });
  };
  if (rd_kafka_event_error(event.get())) {
    for (rd_kafka_ConfigResource_t* resource : asked)
      of(rd_kafka_ConfigResource_name(resource)).configuration_error =
          kafka::redact(rd_kafka_event_error_string(event.get()), secrets_);
    return;
  }
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** found =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  for (const rd_kafka_ConfigResource_t* resource : std::span(found, count))
    read_configuration(resource, of(rd_kafka_ConfigResource_name(resource)));
}

TopicFacts facts_of(const rd_kafka_metadata_t& metadata, const std::string& name) {
  TopicFacts facts;
  facts.name = name;
  const std::span topics(metadata.topics, static_cast<std::size_t>(metadata.topic_cnt));
  const auto topic = std::find_if(topics.begin(), topics.end(), [&](const auto& t) { return name == t.topic; });
  if (topic == topics.end())
    facts.error = "there is no such topic, or this client may not see it";
  else if (topic->err)
    facts.error = rd_kafka_err2str(topic->err);
  if (!facts.error.empty()) return facts;
  for (const auto& p : std::span(topic->partitions, static_cast<std::size_t>(topic->partition_cnt)))
    facts.partitions.push_back({p.id, p.replica_cnt, p.isr_cnt});
  return facts;
}

}  // namespace

std::optional<std::string> TopicFacts::property(const std::string& property_name) const {
  const auto found = configuration.find(property_name);
  return found == configuration.end() ? std::nullopt : std::optional(found->second);
}

KafkaFacts ask_kafka(const KafkaDoctorOptions& options) {
  const auto bootstrap = options.properties.find("bootstrap.servers");
  if (bootstrap == options.properties.end() || bootstrap->second.empty())
    throw std::invalid_argument(
        "Kafka doctor: property bootstrap.servers is missing: name a broker, such as localhost:9092");
  KafkaFacts facts;
  facts.bootstrap = bootstrap->second;
  Cluster cluster(options, steady_clock::now() + options.timeout);
  const Metadata metadata = cluster.metadata(facts.error);
  if (!metadata) return facts;
  facts.error.clear();
  facts.brokers = metadata->broker_cnt;
  facts.cluster_id = cluster.id();
  std::set<std::string> seen;
  for (const std::string& topic : options.topics)
    if (seen.insert(topic).second) facts.topics.push_back(facts_of(*metadata, topic));
  cluster.describe(facts.topics);
  if (TopicFacts offsets = facts_of(*metadata, offsets_topic); offsets.error.empty())
    facts.offsets = std::move(offsets);
  return facts;
}

}  // namespace idem::doctor
