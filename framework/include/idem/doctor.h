// Is the broker set up not to lose? Questions to Kafka, to RabbitMQ and to the store's file. Nothing is changed by them.
//
//   idem::require_sound(idem::examine_kafka({.properties = {{"bootstrap.servers", "localhost:9092"}},
//                                            .topics = {"payments"}}));
//
// Each question has one of three answers, and *unknown* is never taken for *pass*: what could not be seen is in the
// report, with the reason. `idem doctor` is the same as a program.
//
// The functions block, for `timeout` at most (examine_store: as long as it takes to read the file once), keep nothing
// and may be called from any thread. They throw std::invalid_argument for an option that is wrong, by name; what is
// wrong with a broker or a file is a check that fails. Passwords are in no text of theirs.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <idem/rabbitmq.h>

namespace idem {

enum class Verdict {
  pass,
  fail,     ///< as it is, something can be lost, or the promise does not hold
  unknown,  ///< could not be seen; `reason` says why
};
/// "pass", "fail", "unknown".
const char* to_string(Verdict verdict);

struct Check {
  std::string name;     ///< "kafka.topic.min.insync.replicas"; does not change from version to version
  std::string subject;  ///< the topic, queue or file
  Verdict verdict = Verdict::unknown;
  std::string reason;   ///< what was seen, and what it means
  std::string remedy;   ///< what to do; empty if there is nothing to do
};
using Report = std::vector<Check>;

/// fail, if anything fails; else unknown, if anything is; else pass. A report without checks is unknown.
Verdict worst(const Report& report);
/// 0 pass, 1 fail, 2 unknown.
int exit_code(const Report& report);
/// For people: a line for each check, its remedy below it, and the sum.
std::string to_text(const Report& report);
/// {"verdict": "fail", "exit_code": 1, "checks": [{"name", "subject", "verdict", "reason", "remedy"}, …]}
std::string to_json(const Report& report);

class NotSound : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// For the start of a service: throws NotSound, whose text lists the checks that fail; logs a warning for each unknown.
void require_sound(const Report& report);

// --- Kafka (link idem::kafka) ---------------------------------------------------------------------------------------

/// A topic whose progress a store has, and where that was: "cluster=<id>", perhaps with more words.
struct RememberedTopic {
  std::string consumer, topic, origin;
};

struct KafkaDoctorOptions {
  /// librdkafka's, as for KafkaOptions and KafkaPublisherOptions. Required: bootstrap.servers. If a property of producers
  /// is among them (acks, enable.idempotence, retries), these three are judged as a producer would have them.
  std::map<std::string, std::string> properties;
  /// Empty: the cluster alone is looked at.
  std::vector<std::string> topics;
  /// RuntimeOptions::retention, held against how long the topics keep their records.
  std::chrono::milliseconds retention{std::chrono::days(7)};
  /// Held against the cluster's id, so that a service is not started on another cluster.
  std::vector<RememberedTopic> remembered;
  std::chrono::milliseconds timeout{15'000};
};
Report examine_kafka(const KafkaDoctorOptions& options);

// --- RabbitMQ (link idem::rabbitmq) ---------------------------------------------------------------------------------

/// AMQP shows little more than that something exists and is durable. The rest is read from the management plugin's HTTP
/// API if `management` says where it is, and is unknown otherwise.
struct RabbitDoctorOptions {
  /// As in RabbitOptions.
  std::string uri = "amqp://guest:guest@localhost";
  std::vector<std::string> more_hosts;
  std::string password_file, password_env;
  RabbitTls tls;
  std::chrono::seconds heartbeat{30};

  std::vector<std::string> queues, exchanges;
  /// http[s]://[user[:password]@]host[:15672]. Without a user: `uri`'s, with its password.
  std::string management;
  /// RabbitOptions::consumer_timeout, held against the queues'.
  std::chrono::milliseconds consumer_timeout{30 * 60 * 1000};
  std::chrono::milliseconds timeout{15'000};
};
Report examine_rabbitmq(const RabbitDoctorOptions& options);

// --- SQLite store (link idem::sqlite) -------------------------------------------------------------------------------

struct StoreDoctorOptions {
  /// RuntimeOptions::retention, held against what the store has already forgotten.
  std::chrono::milliseconds retention{std::chrono::days(7)};
  /// Less room than this on the file system is a fail.
  std::uint64_t free_bytes = 256 << 20;
  /// PRAGMA quick_check reads the whole file: leave it out where that takes too long.
  bool integrity = true;
};
/// The file may be in use by a running service: it is opened for reading, and its owner is not disturbed.
Report examine_store(const std::string& path, const StoreDoctorOptions& options = {});

/// What the store remembers of its topics, for KafkaDoctorOptions::remembered; nothing if there is no file yet. Throws
/// StoreError if it cannot be read.
std::vector<RememberedTopic> remembered_topics(const std::string& path);

}  // namespace idem
