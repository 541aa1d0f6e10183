// What goes wrong, and who is told: on_fatal for what does not mend by itself, on_warning once for what does.
#include <librdkafka/rdkafka.h>
#include <syslog.h>

#include <algorithm>

#include "runtime/log.h"
#include "sources/kafka/kafka_consumer.h"

namespace idem::kafka {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds silence{30};
constexpr int most_nudges = 3;

/// librdkafka goes on behind records that it could not read. Offsets have gaps anyway, so nobody else would
/// notice.
bool leaves_records_out(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return true;
    default:
      return false;
  }
}

bool is_refused_login(int error) {
  return error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         error == RD_KAFKA_RESP_ERR__SSL;
}

std::string advice(int error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return ". Another process uses the same group.instance.id: give each process its own";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return ". The user needs READ on the group";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return ". The user needs READ on the topic";
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return ". The group's other members use another partition.assignment.strategy: all must have one in "
             "common";
    default:
      return "";
  }
}

}  // namespace

void Consumer::on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  Consumer& self = *static_cast<Link*>(opaque)->consumer;
  std::string text = reason ? reason : "";
  try {
    if (self.events_) self.client_error(error, redact(std::move(text), self.configuration_.secrets));
  } catch (...) {
    if (!self.thrown_) self.thrown_ = std::current_exception();
  }
}

void Consumer::on_log(const rd_kafka_t* client, int level, const char* facility, const char* line) {
  const auto* link = static_cast<const Link*>(rd_kafka_opaque(client));
  static constexpr spdlog::level::level_enum levels[] = {
      spdlog::level::critical, spdlog::level::critical, spdlog::level::critical, spdlog::level::err,
      spdlog::level::warn,     spdlog::level::info,     spdlog::level::info,     spdlog::level::debug};
  try {
    runtime::log().log(levels[std::clamp(level, 0, LOG_DEBUG)], "librdkafka {}: {}", facility,
                       link ? redact(line, link->secrets) : "(while starting)");
  } catch (...) {
    // A log line is not worth a process.
  }
}

/// Errors of the client as a whole: connections, logins, the group.
void Consumer::client_error(int error, std::string reason) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) return client_is_dead();
  if (is_refused_login(error)) {
    last_refusal_ = reason;
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    if (!last_refusal_.empty()) return fatal("every broker refuses this client: " + last_refusal_);
    if (std::exchange(outage_, true)) return;
    outage_began_ = steady_clock::now();
    events_->on_warning("Kafka source: no broker can be reached (" + configuration_.brokers + "): " + reason);
    return;
  }
  // One lost connection is the client library's business until it was the last one.
  if (error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__RESOLVE ||
      error == RD_KAFKA_RESP_ERR__TIMED_OUT)
    return;
  warn_once(rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(error)), reason + advice(error));
}

/// librdkafka calls an error fatal when the client can do nothing any more, not even commit.
void Consumer::client_is_dead() {
  char why[512] = "";
  auto error = rd_kafka_fatal_error(client_, why, sizeof why);
  fatal(redact(why, configuration_.secrets) + advice(error));
}

/// The group's coordinator has answered what was asked then.
void Consumer::answered(TimePoint asked) {
  last_refusal_.clear();
  if (!outage_ || asked < outage_began_) return;
  outage_ = false;
  warned_.clear();
  events_->on_warning("Kafka source: the brokers are back");
}

/// Errors that come in place of a message.
void Consumer::partition_error(rd_kafka_message_t& received) {
  std::string topic = received.rkt ? rd_kafka_topic_name(received.rkt) : "";
  std::string where = topic;
  if (!topic.empty() && received.partition >= 0) where = to_string(PartitionRef{topic, received.partition});
  std::string text = redact(rd_kafka_message_errstr(&received), configuration_.secrets);
  switch (received.err) {
    case RD_KAFKA_RESP_ERR__FATAL:
      return client_is_dead();
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return topic_is_gone(topic);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
      return fatal(text + advice(received.err));
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
      return warn_once("max.poll", text + ". The group has given the partitions away; this process joins again");
    default:
      break;
  }
  if (leaves_records_out(received.err))
    return fatal("records of " + where + " at offset " + std::to_string(received.offset) +
                 " cannot be read and would be left out: " + text);
  warn_once(where + rd_kafka_err2name(received.err), (where.empty() ? "" : where + ": ") + text);
}

/// Brokers that have just restarted do not know their topics for a moment, so ask again before ending the
/// run.
void Consumer::topic_is_gone(const std::string& name) {
  for (const auto& topic : partitions_.topics()) {
    if (topic.name != name) continue;
    try {
      if (lookup_->partition_count(topic.handle.get(), steady_clock::now() + seconds(5))) return;
    } catch (const std::exception& failure) {
      return warn_once("gone " + name, failure.what());
    }
    return fatal("topic \"" + name + "\" does not exist any more");
  }
}

void Consumer::fatal(const std::string& what) {
  if (std::exchange(ended_, true)) return;
  events_->on_fatal("Kafka source: " + what);
}

void Consumer::warn_once(const std::string& key, const std::string& what) {
  if (warned_.insert(key).second) events_->on_warning("Kafka source: " + what);
}

/// Gaps are normal, unless the log now begins behind the position: then retention was quicker than this
/// consumer.
void Consumer::skipped_below_log_begin(Slot& slot, std::int64_t offset) {
  std::int64_t low = -1, high = -1;
  rd_kafka_get_watermark_offsets(client_, slot.ref.topic.c_str(), slot.ref.partition, &low, &high);
  if (low <= slot.next || low <= slot.log_begin) return;
  slot.log_begin = low;
  events_->on_warning("Kafka source: " + to_string(slot.ref) + ": the broker deleted records before they were read, " +
                      std::to_string(slot.next) + " up to at most " + std::to_string(std::min(low, offset) - 1) +
                      ": its retention is shorter than this consumer's lag");
}

// --- partitions that are assigned and yet silent
// ------------------------------------------------------------------

void Consumer::look_for_silent_partitions(TimePoint now) {
  std::vector<Slot*> quiet;
  for (Slot* slot : partitions_.held()) {
    if (slot->moved || !slot->read || slot->want_paused) {
      slot->moved = false;
      slot->quiet_since = now;
      slot->nudges = 0;
    } else if (now - slot->quiet_since > silence) {
      slot->quiet_since = now;
      quiet.push_back(slot);
    }
  }
  if (!quiet.empty() && !outage_) nudge(quiet);
}

/// An idle partition is quiet too: what counts is whether the broker has more.
void Consumer::nudge(std::vector<Slot*>& quiet) {
  std::vector<PartitionRef> refs;
  for (Slot* slot : quiet) refs.push_back(slot->ref);
  std::vector<std::int64_t> ends;
  try {
    ends = lookup_->bounds(refs, Lookup::Bound::end, steady_clock::now() + seconds(1));
  } catch (const std::exception&) {
    return;  // nobody answers: that is another fault
  }
  PartitionList seek = make_list(quiet.size());
  for (std::size_t i = 0; i < quiet.size(); ++i) {
    Slot& slot = *quiet[i];
    if (ends[i] <= slot.next) continue;
    if (++slot.nudges > most_nudges)
      return fatal(to_string(slot.ref) + " delivers nothing, though its log goes on to " + std::to_string(ends[i]) +
                   " and it was asked for " + std::to_string(slot.next) + " several times");
    events_->on_warning("Kafka source: " + to_string(slot.ref) + " has been silent for 30 s at offset " +
                        std::to_string(slot.next) + " of " + std::to_string(ends[i]) + "; asking again");
    rd_kafka_topic_partition_list_add(seek.get(), slot.ref.topic.c_str(), slot.ref.partition)->offset = slot.next;
  }
  if (seek->cnt > 0) Error(rd_kafka_seek_partitions(client_, seek.get(), 1'000));
}

}  // namespace idem::kafka
