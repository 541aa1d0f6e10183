#include "doctor/kafka/judgement.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "doctor/words.h"
#include "sources/kafka/kafka_properties.h"

namespace idem::doctor {
namespace {

using std::chrono::milliseconds;

constexpr int enough_brokers = 3;  // with two, either writing stops or one copy is left when one of them is lost
constexpr int enough_in_sync = 2;
constexpr int enough_replicas = 3;

std::optional<std::int64_t> number(const std::optional<std::string>& text) {
  return text ? whole_number(*text) : std::nullopt;
}

/// What every check of one topic begins with.
struct Topic {
  const TopicFacts& facts;

  Check check(const std::string& name, Verdict verdict, std::string reason, std::string remedy = {}) const {
    return {"kafka.topic." + name, facts.name, verdict, std::move(reason), std::move(remedy)};
  }
  Check not_told(const std::string& name, const std::string& property) const {
    return check(name, Verdict::unknown,
                 "the cluster does not tell " + property +
                     (facts.configuration_error.empty() ? "" : ": " + facts.configuration_error),
                 "give this user the ACL DescribeConfigs on the topic, or look with kafka-configs --describe");
  }
};

Check judge_brokers(const KafkaFacts& facts) {
  Check check{"kafka.brokers", facts.bootstrap, Verdict::pass, counted(facts.brokers, "broker"), {}};
  if (facts.brokers >= enough_brokers) return check;
  check.verdict = Verdict::fail;
  check.reason += facts.brokers == 1 ? ": what its disk loses is lost"
                                     : ": when one of them is lost, writing stops or one copy is left";
  check.remedy = "run three brokers or more, on machines of their own";
  return check;
}

void judge_cluster(const KafkaFacts& facts, const KafkaDoctorOptions& options, Report& report) {
  constexpr std::string_view label = "cluster=";
  bool compared = false, differs = false;
  for (const RememberedTopic& remembered : options.remembered) {
    const auto at = remembered.origin.find(label);
    const auto& topics = options.topics;
    if (at == std::string::npos ||
        (!topics.empty() && std::find(topics.begin(), topics.end(), remembered.topic) == topics.end()))
      continue;
    const std::string id =
        remembered.origin.substr(at + label.size(), remembered.origin.find(' ', at) - at - label.size());
    compared = true;
    if (facts.cluster_id.empty() || id == facts.cluster_id) continue;
    differs = true;
    report.push_back({"kafka.cluster.id", remembered.topic, Verdict::fail,
                      "this is cluster " + facts.cluster_id + "; consumer \"" + remembered.consumer +
                          "\" of the store has read the topic in cluster " + id,
                      "correct bootstrap.servers or the store's path; for a cluster that replaces the old one, see "
                      "accept.recreated_topic"});
  }
  if (!compared || differs) return;
  if (facts.cluster_id.empty())
    report.push_back({"kafka.cluster.id", facts.bootstrap, Verdict::unknown, "the cluster does not tell its id",
                      "compare it with the store's by hand (table idem_partition, column origin)"});
  else
    report.push_back(
        {"kafka.cluster.id", facts.bootstrap, Verdict::pass, facts.cluster_id + ", as the store remembers", {}});
}

/// There is a partition.
int fewest_replicas(const TopicFacts& topic) {
  int fewest = topic.partitions.front().replicas;
  for (const PartitionFacts& p : topic.partitions) fewest = std::min(fewest, p.replicas);
  return fewest;
}

Check judge_replicas(const Topic& topic) {
  const int fewest = fewest_replicas(topic.facts);
  if (fewest > 1) return topic.check("replication.factor", Verdict::pass, std::to_string(fewest));
  return topic.check("replication.factor", Verdict::fail,
                     std::to_string(fewest) + ": the disk of one broker is the only copy",
                     "give it " + std::to_string(enough_replicas) +
                         " replicas (kafka-reassign-partitions; create topics with --replication-factor 3)");
}

Check judge_in_sync(const Topic& topic) {
  const std::string name = "in.sync.replicas";
  const auto least = number(topic.facts.property("min.insync.replicas"));
  if (!least) return topic.not_told(name, "min.insync.replicas");
  const auto& partitions = topic.facts.partitions;
  const auto worst = std::min_element(partitions.begin(), partitions.end(),
                                      [](const auto& a, const auto& b) { return a.in_sync < b.in_sync; });
  const std::string seen = std::to_string(worst->in_sync) + " of " + counted(worst->replicas, "replica") +
                           " in sync in partition " + std::to_string(worst->number) + ", min.insync.replicas is " +
                           std::to_string(*least);
  if (worst->in_sync > *least) return topic.check(name, Verdict::pass, seen);
  const bool refused = worst->in_sync < *least;
  return topic.check(
      name, Verdict::fail,
      seen + (refused ? ": writing with acks=all is refused now" : ": when one more is lost, writing stops"),
      worst->in_sync < worst->replicas ? "bring the missing brokers back"
                                       : "have one replica more than min.insync.replicas");
}

Check judge_least_in_sync(const Topic& topic) {
  const std::string name = "min.insync.replicas";
  const auto least = number(topic.facts.property(name));
  if (!least) return topic.not_told(name, name);
  if (*least >= enough_in_sync) return topic.check(name, Verdict::pass, std::to_string(*least));
  return topic.check(name, Verdict::fail,
                     std::to_string(*least) + ": what acks=all has confirmed may be on one disk only",
                     "set min.insync.replicas=2, with 3 replicas");
}

Check judge_unclean_election(const Topic& topic) {
  const std::string name = "unclean.leader.election.enable";
  const auto value = topic.facts.property(name);
  if (!value) return topic.not_told(name, name);
  if (*value == "false") return topic.check(name, Verdict::pass, *value);
  return topic.check(name, Verdict::fail,
                     *value + ": a replica that has not everything may become the leader, and the rest is cut off",
                     "set unclean.leader.election.enable=false");
}

/// A reset of the offsets brings back whatever the topic still has. What the store has forgotten by then it cannot
/// recognise, so the store must remember at least as long. The other direction only costs disk.
Check judge_retention(const Topic& topic, milliseconds store) {
  const std::string name = "retention.ms";
  const auto kept = number(topic.facts.property(name)), segment = number(topic.facts.property("segment.ms"));
  if (!kept) return topic.not_told(name, name);
  if (!segment) return topic.not_told(name, "segment.ms");
  const std::string remembers = "; the store remembers " + in_words(store);
  const std::string harm = ": after a reset of the offsets older copies are undecidable (parked, or run once more)";
  const std::string policy = topic.facts.property("cleanup.policy").value_or("delete");
  if (policy.find("delete") == std::string::npos || *kept < 0)
    return topic.check(name, Verdict::fail, "records stay for ever (cleanup.policy=" + policy + ")" + remembers + harm,
                       "set a retention.ms, or RuntimeOptions::retention to the furthest that you would ever reset");
  const std::string keeps = "records stay " + in_words(milliseconds(*kept));
  if (store.count() < *kept)
    return topic.check(name, Verdict::fail, keeps + remembers + harm,
                       "raise RuntimeOptions::retention above it (costs disk per id), or lower the topic's");
  // A segment goes as a whole, once its youngest record is too old: its oldest one may be older by as long as it was
  // open.
  if (store.count() - *kept < *segment)
    return topic.check(name, Verdict::unknown,
                       keeps + " after their segment was full or " + in_words(milliseconds(*segment)) +
                           " old (segment.ms)" + remembers,
                       "lower segment.ms, or raise RuntimeOptions::retention above retention.ms + segment.ms");
  return topic.check(name, Verdict::pass, keeps + remembers);
}

void judge_topic(const TopicFacts& facts, milliseconds retention, Report& report) {
  const Topic topic{facts};
  const bool there = facts.error.empty() && !facts.partitions.empty();
  report.push_back(there ? topic.check("exists", Verdict::pass,
                                       counted(static_cast<std::int64_t>(facts.partitions.size()), "partition"))
                         : topic.check("exists", Verdict::fail,
                                       facts.error.empty() ? "it has no partitions" : facts.error,
                                       "create it, or correct its name; check the ACL Describe of this user"));
  if (!there) return;
  report.push_back(judge_replicas(topic));
  report.push_back(judge_in_sync(topic));
  report.push_back(judge_least_in_sync(topic));
  report.push_back(judge_unclean_election(topic));
  report.push_back(judge_retention(topic, retention));
}

Check judge_offsets(const KafkaFacts& facts) {
  Check check{"kafka.offsets.topic.replication.factor", "__consumer_offsets", Verdict::unknown, {}, {}};
  if (!facts.offsets || facts.offsets->partitions.empty()) {
    check.reason = "it is made at the first commit of any group; or this client may not see it";
    check.remedy = "set offsets.topic.replication.factor=3 on every broker before; ask again when a consumer has run";
    return check;
  }
  const int fewest = fewest_replicas(*facts.offsets);
  check.verdict = fewest > 1 ? Verdict::pass : Verdict::fail;
  check.reason = std::to_string(fewest);
  if (fewest > 1) return check;
  check.reason += ": with the one disk go the committed offsets of all groups";
  check.remedy = "give it 3 replicas (kafka-reassign-partitions), and brokers offsets.topic.replication.factor=3";
  return check;
}

struct ProducerRule {
  const char* property;
  const char* good;
  const char* harm;
  const char* remedy;
};
constexpr std::array<ProducerRule, 3> producer_rules{{
    {"acks", "-1", "what one broker has confirmed is lost with it", "set acks=all"},
    {"enable.idempotence", "true", "a retry may store a copy, and change the order", "set enable.idempotence=true"},
    {"retries", "2147483647", "a message that is given up leaves a gap, and those behind it are stored",
     "leave retries out, and bound the time with delivery.timeout.ms"},
}};

}  // namespace

bool is_judged_of_producers(const std::string& property) {
  static constexpr std::array<std::string_view, 6> names{
      "acks",    "request.required.acks",    "enable.idempotence",
      "retries", "message.send.max.retries", "enable.gapless.guarantee"};
  return std::find(names.begin(), names.end(), property) != names.end();
}

Report judge_producer(const KafkaDoctorOptions& options) {
  const auto& given = options.properties;
  if (std::none_of(given.begin(), given.end(), [](const auto& p) { return is_judged_of_producers(p.first); }))
    return {};
  const auto secrets = kafka::secrets_of(given);
  kafka::Properties properties("Kafka doctor", secrets);
  properties.set("acks", "all");  // librdkafka's own default, which does not read back unless something was set
  for (const auto& [name, value] : given) properties.set(name, value);
  Report report;
  for (const ProducerRule& rule : producer_rules) {
    const std::string value = properties.get(rule.property);
    Check check{std::string("kafka.producer.") + rule.property, "properties", Verdict::pass, value, {}};
    if (value != rule.good) {
      check.verdict = Verdict::fail;
      check.reason += std::string(": ") + rule.harm;
      check.remedy = std::string(rule.remedy) + " (idem::KafkaPublisher has it so)";
    }
    report.push_back(std::move(check));
  }
  return report;
}

Report judge(const KafkaFacts& facts, const KafkaDoctorOptions& options) {
  if (!facts.error.empty())
    return {{"kafka.connection", facts.bootstrap, Verdict::fail, "no broker answers: " + facts.error,
             "check bootstrap.servers, the security properties, and that a broker runs"}};
  Report report{{"kafka.connection", facts.bootstrap, Verdict::pass, "answers", {}}};
  report.push_back(judge_brokers(facts));
  judge_cluster(facts, options, report);
  report.push_back(judge_offsets(facts));
  for (const TopicFacts& topic : facts.topics) judge_topic(topic, options.retention, report);
  return report;
}

}  // namespace idem::doctor

namespace idem {

Report examine_kafka(const KafkaDoctorOptions& options) {
  const doctor::KafkaFacts facts = doctor::ask_kafka(options);
  Report report = doctor::judge(facts, options);
  for (Check& check : doctor::judge_producer(options)) report.push_back(std::move(check));
  return report;
}

}  // namespace idem
