#include "doctor/rabbitmq/judgement.h"

#include <algorithm>

#include "doctor/words.h"

namespace idem::doctor {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t no_delivery_limit = 100'000;  // so many are as good as none
constexpr int enough_nodes = 3;  // with two, either the queue stops or one copy is left when one of them is lost

std::optional<std::int64_t> number(const std::string* text) {
  return text ? whole_number(*text) : std::nullopt;
}

// --- What AMQP shows ------------------------------------------------------------------------------------------------

void judge_declared(const DeclaredFacts& facts, const std::string& kind, Report& report) {
  const auto add = [&](const std::string& name, Verdict verdict, std::string reason, std::string remedy = {}) {
    report.push_back({"rabbitmq." + kind + "." + name, facts.name.empty() ? "(default)" : facts.name, verdict,
                      std::move(reason), std::move(remedy)});
  };
  if (!facts.error.empty())
    return add("exists", Verdict::fail, facts.error, "declare it, or correct its name and the vhost");
  add("exists", Verdict::pass, "is there");
  if (!facts.durable)
    add("durable", Verdict::unknown, facts.not_told,
        "ask as a user that may configure it, or look with rabbitmqctl list_" + kind + "s name durable");
  else if (!*facts.durable)
    add("durable", Verdict::fail,
        "it is not: a restart of the server deletes it" +
            std::string(kind == "queue" ? ", with what is in it" : ", and its bindings"),
        "declare it durable: delete it when it is empty and declare it again");
  else if (facts.auto_delete.value_or(false))
    add("durable", Verdict::fail,
        "it is, but auto-delete: it goes with its last " +
            std::string(kind == "queue" ? "consumer, with what is in it" : "binding"),
        "declare it without auto-delete");
  else
    add("durable", Verdict::pass, "survives a restart of the server");
}

// --- What the management API shows of a queue -----------------------------------------------------------------------

class Queue {
 public:
  Queue(const std::string& name, const QueueFacts& facts, const std::string& server_version)
      : name_(name), facts_(facts), has_default_limit_(!server_version.starts_with("3.")) {}

  Check type() const;
  Check members() const;
  Check dead_letter_exchange() const;
  Check overflow() const;
  Check expires() const;
  Check persistent() const;
  Check consumer_timeout(milliseconds assumed) const;
  bool replicated() const { return facts_.type == "quorum" || facts_.type == "stream"; }

 private:
  Check check(const std::string& what, Verdict verdict, std::string reason, std::string remedy = {}) const {
    return {"rabbitmq.queue." + what, name_, verdict, std::move(reason), std::move(remedy)};
  }
  /// Why a message may leave the queue without a consumer having had it; "": nothing takes it out.
  std::string ways_out() const;
  /// There is a limit to its length, and at the limit the oldest go.
  bool drops_head() const;

  const std::string& name_;
  const QueueFacts& facts_;
  const bool has_default_limit_;  // of deliveries, for quorum queues: since 4.0
};

Check Queue::type() const {
  if (replicated()) return check("type", Verdict::pass, facts_.type + ": replicated");
  return check("type", Verdict::fail, facts_.type + ": what the disk of one node loses is lost",
               "declare it with x-queue-type=quorum on a cluster of three nodes");
}

Check Queue::members() const {
  const std::string seen = counted(facts_.members, "member");
  if (facts_.members >= enough_nodes) return check("members", Verdict::pass, seen);
  return check("members", Verdict::fail,
               seen + (facts_.members <= 1 ? ": there is one copy" : ": when one is lost, the queue stops"),
               "have three nodes, and rabbitmq-queues grow on each");
}

bool Queue::drops_head() const {
  if (!facts_.setting("max-length") && !facts_.setting("max-length-bytes")) return false;
  const std::string* overflow = facts_.setting("overflow");
  return !overflow || *overflow == "drop-head";
}

std::string Queue::ways_out() const {
  std::string ways;
  const auto add = [&](const std::string& way) { ways += (ways.empty() ? "" : ", ") + way; };
  if (const auto ttl = number(facts_.setting("message-ttl")))
    add("expire after " + in_words(milliseconds(*ttl)) + " (message-ttl)");
  if (facts_.type == "quorum") {
    std::int64_t limit = has_default_limit_ ? 20 : no_delivery_limit;
    if (const auto set = number(facts_.setting("delivery-limit"))) limit = *set;
    if (limit < 0) limit = has_default_limit_ ? no_delivery_limit : 0;  // RabbitMQ 3 takes it for 0
    if (limit < no_delivery_limit)
      add("are dropped when they came back " + std::to_string(limit) + " times (delivery-limit)");
  }
  if (drops_head()) add("are dropped when the queue is full (overflow=drop-head)");
  return ways;
}

Check Queue::dead_letter_exchange() const {
  const std::string name = "dead_letter_exchange";
  const std::string* exchange = facts_.setting("dead-letter-exchange");
  const std::string ways = ways_out();
  if (!exchange) {
    if (ways.empty())
      return check(name, Verdict::pass,
                   "none, and by its arguments and policies no message expires or is dropped (idem rejects none)");
    return check(name, Verdict::fail, "there is none, and messages " + ways + ": they are gone",
                 "set a dead-letter-exchange by policy, with a durable queue bound to it");
  }
  if (!facts_.dead_letter_problem.empty())
    return check(name, Verdict::fail, facts_.dead_letter_problem + ": what is dead-lettered is gone",
                 "declare it and bind a durable queue to it");
  return check(name, Verdict::pass, exchange->empty() ? "the default exchange" : *exchange);
}

Check Queue::overflow() const {
  if (drops_head())
    return check("overflow", Verdict::fail,
                 "drop-head at its length limit: the oldest messages leave it, though they were confirmed",
                 "set overflow=reject-publish: then a publisher with confirms is told");
  const std::string* overflow = facts_.setting("overflow");
  return check("overflow", Verdict::pass, overflow ? *overflow : "no length limit");
}

Check Queue::expires() const {
  if (const auto after = number(facts_.setting("expires")))
    return check("expires", Verdict::fail,
                 "the whole queue is deleted when nobody has used it for " + in_words(milliseconds(*after)),
                 "remove x-expires: a consumer that is down for longer loses everything");
  return check("expires", Verdict::pass, "never");
}

Check Queue::persistent() const {
  const std::string name = "persistent_messages";
  if (replicated()) return check(name, Verdict::pass, "a " + facts_.type + " queue writes every message to disk");
  if (facts_.messages == 0)
    return check(
        name, Verdict::unknown, "there is no message in it to look at",
        "make sure that its publishers set delivery_mode=2 (idem::RabbitPublisher does), or use a quorum queue");
  const std::int64_t transient = facts_.messages - facts_.persistent;
  if (transient <= 0) return check(name, Verdict::pass, "all " + std::to_string(facts_.messages));
  return check(name, Verdict::fail,
               std::to_string(transient) + " of " + counted(facts_.messages, "message") +
                   " are not: a restart of the server deletes them",
               "have its publishers set delivery_mode=2, or use a quorum queue");
}

Check Queue::consumer_timeout(milliseconds assumed) const {
  const std::string name = "consumer_timeout";
  const auto told = number(facts_.setting("consumer-timeout"));
  if (!told)
    return check(name, Verdict::unknown,
                 "the queue has none of its own, and the server does not tell its (30 min unless changed)",
                 "compare consumer_timeout in rabbitmq.conf with RabbitOptions::consumer_timeout (" +
                     in_words(assumed) +
                     " here); from RabbitMQ 3.12 on it can be set for the queue, as x-consumer-timeout");
  const milliseconds limit(*told);
  // 0 is for idem "there is none", and then it hands nothing back in time.
  if (assumed.count() > 0 && assumed <= limit)
    return check(name, Verdict::pass, in_words(limit) + ", and the consumer reckons with " + in_words(assumed));
  return check(name, Verdict::fail,
               in_words(limit) + ", and the consumer reckons with " +
                   (assumed.count() > 0 ? in_words(assumed) : "none") +
                   ": a slow handler costs the channel, and everything unacknowledged comes again",
               "set RabbitOptions::consumer_timeout to it");
}

void judge_managed(const RabbitFacts& server, const std::string& name, milliseconds assumed_timeout, Report& report) {
  const QueueFacts& facts = server.managed.at(name);
  const Queue queue(name, facts, server.version);
  report.push_back(queue.type());
  if (facts.type == "quorum") report.push_back(queue.members());
  report.push_back(queue.dead_letter_exchange());
  report.push_back(queue.overflow());
  report.push_back(queue.expires());
  report.push_back(queue.persistent());
  report.push_back(queue.consumer_timeout(assumed_timeout));
}

void not_managed(const std::string& name, const std::string& why, const std::string& remedy, Report& report) {
  for (const char* what :
       {"type", "dead_letter_exchange", "overflow", "expires", "persistent_messages", "consumer_timeout"})
    report.push_back({std::string("rabbitmq.queue.") + what, name, Verdict::unknown, why, remedy});
}

// --- The nodes ------------------------------------------------------------------------------------------------------

Check judge_size(const RabbitFacts& facts) {
  std::string down;
  for (const NodeFacts& node : facts.nodes)
    if (!node.running) down += (down.empty() ? "" : ", ") + node.name;
  Check check{"rabbitmq.nodes",
              facts.management,
              Verdict::pass,
              counted(static_cast<std::int64_t>(facts.nodes.size()), "node"),
              {}};
  if (facts.nodes.size() < enough_nodes) {
    check.verdict = Verdict::fail;
    check.reason +=
        facts.nodes.size() == 1 ? ": what its disk loses is lost" : ": when one of them is lost, quorum queues stop";
    check.remedy = "run three nodes, on machines of their own";
  } else if (!down.empty()) {
    check.verdict = Verdict::fail;
    check.reason += ", and not running: " + down;
    check.remedy = "bring them back";
  }
  return check;
}

Check judge_alarms(const RabbitFacts& facts) {
  std::string alarms;
  const auto add = [&](const NodeFacts& node, const std::string& what) {
    alarms += (alarms.empty() ? "" : ", ") + what + " on " + node.name;
  };
  for (const NodeFacts& node : facts.nodes) {
    if (node.memory_alarm) add(node, "memory");
    if (node.disk_alarm) add(node, "disk");
    if (node.partitioned) add(node, "network partition");
  }
  if (alarms.empty()) return {"rabbitmq.alarms", facts.management, Verdict::pass, "none", {}};
  return {"rabbitmq.alarms", facts.management, Verdict::fail,
          alarms + ": publishers are blocked, or nodes do not see each other",
          "make room, or heal the network (rabbitmqctl cluster_status)"};
}

void judge_nodes(const RabbitFacts& facts, const std::string& why, const std::string& remedy, Report& report) {
  if (facts.nodes.empty()) {
    for (const char* name : {"rabbitmq.nodes", "rabbitmq.alarms"})
      report.push_back({name, facts.server, Verdict::unknown, why, remedy});
    return;
  }
  report.push_back(judge_size(facts));
  report.push_back(judge_alarms(facts));
}

}  // namespace

Report judge(const RabbitFacts& facts, const RabbitDoctorOptions& options) {
  if (!facts.error.empty())
    return {{"rabbitmq.connection", facts.server, Verdict::fail, facts.error,
             "check address, user, password and vhost, and that the server runs"}};
  Report report{{"rabbitmq.connection", facts.server, Verdict::pass, "logged in", {}}};
  const std::string unseen = "AMQP does not show it";
  const std::string remedy = "give the address of the management API, or look with rabbitmqctl";
  judge_nodes(facts, facts.management.empty() ? unseen : facts.nodes_error, remedy, report);
  for (const DeclaredFacts& exchange : facts.exchanges) judge_declared(exchange, "exchange", report);
  for (const DeclaredFacts& queue : facts.queues) {
    judge_declared(queue, "queue", report);
    if (!queue.error.empty()) continue;
    const auto managed = facts.managed.find(queue.name);
    if (managed == facts.managed.end())
      not_managed(queue.name, unseen, remedy, report);
    else if (!managed->second.error.empty())
      not_managed(queue.name, managed->second.error, remedy, report);
    else
      judge_managed(facts, queue.name, options.consumer_timeout, report);
  }
  return report;
}

rabbit::Server server_of(const RabbitDoctorOptions& options) {
  return rabbit::server_of({"RabbitMQ doctor", "RabbitDoctorOptions"}, "doctor", options);
}

}  // namespace idem::doctor

namespace idem {

Report examine_rabbitmq(const RabbitDoctorOptions& options) {
  const rabbit::Server server = doctor::server_of(options);
  doctor::RabbitFacts facts;
  facts.server = server.redacted_uri;
  doctor::ask_amqp(server, options, facts);
  if (facts.error.empty()) doctor::ask_management(server, options, facts);
  return doctor::judge(facts, options);
}

}  // namespace idem
