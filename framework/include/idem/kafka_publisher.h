// Sends to Kafka without losing, reordering or skipping anything in silence. Usable without a runtime.
//
//   idem::KafkaPublisher publisher({.properties = {{"bootstrap.servers", "localhost:9092"}}});
//   if (auto result = publisher.publish({.topic = "orders", .key = "customer-7", .payload = "…"}); !result.stored()) …
//
// An idempotent producer with acks=all. Every message carries its id in a header. A message without an answer, or of a
// producer that failed for good, is sent again with the same id by a new producer: the log may then hold it twice, and
// a consumer on idem drops the copy.
//
// Order: messages with the same topic and key (or the same topic and partition, if that is given) are a *lane*. If one
// of a lane ends as unknown, or the topic refuses it, the lane stops: nothing behind it is sent, and all of it is
// refused until resume(). So what is in the log never has a gap that nobody was told of. A refusal that is about one
// message only (too large, an invalid record) ends that one and leaves its lane running. A message with neither key nor
// partition is a lane of its own.
//
// One thread of its own beside librdkafka's. Every method may be called from any thread at any time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <idem/message.h>
#include <idem/publish_result.h>

namespace idem {

class Destination;

struct KafkaOutgoing {
  std::string topic;
  std::optional<std::string> key;           ///< chooses the partition; nullopt: any partition
  std::optional<std::string> payload = "";  ///< nullopt: a null payload (tombstone)
  std::string id;                           ///< empty: a UUID is made; the result tells it
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;  ///< a nullopt value is Kafka's null
  std::optional<std::int32_t> partition;  ///< instead of the one that the key's hash chooses
  std::optional<Timestamp> timestamp;     ///< nullopt: now
};

struct KafkaPublisherOptions {
  /// librdkafka properties, passed through. Required: bootstrap.servers. Refused by name: properties that do not exist,
  /// have a bad value, or break the promise (acks=1, enable.idempotence=false, delivery.timeout.ms, …).
  /// Set for you unless given: partitioner=murmur2_random (a key goes where Java's clients put it), and librdkafka's
  /// queue limits from those below.
  std::map<std::string, std::string> properties;
  /// Names the client (client.id "idem-…") and the log lines.
  std::string name = "publisher";
  /// The header with the message's id: what a consumer names in id_from_header().
  std::string id_header = "message-id";

  /// What may be in hand without a result, sent or not. When it is full, publishing waits `wait_for_room` and is
  /// refused then; 0: at once.
  std::size_t queue_messages = 100'000, queue_bytes = 64 << 20;
  std::chrono::milliseconds wait_for_room{10'000};

  /// A message without an answer for this long is sent again by a new producer. librdkafka itself retries all the time
  /// until then, without copies: shorter than an outage of the cluster means copies.
  std::chrono::milliseconds delivery_timeout{120'000};
  /// A message without a result this long after publish() took it ends: `refused` if it never left, else `unknown`. Its
  /// lane stops.
  std::chrono::milliseconds give_up{300'000};
  /// How long the destructor waits for what is in hand, if close() was not called.
  std::chrono::milliseconds close_timeout{30'000};
};

/// A lane that stands still, and why.
struct StoppedLane {
  std::string topic;
  std::optional<std::string> key;
  std::optional<std::int32_t> partition;
  std::string why;
};

class KafkaPublisher {
 public:
  /// Throws std::invalid_argument for an option or property that is wrong, by name. Does not wait for a broker.
  explicit KafkaPublisher(KafkaPublisherOptions options);
  /// As close(close_timeout); logs how many messages it leaves behind.
  ~KafkaPublisher();
  KafkaPublisher(const KafkaPublisher&) = delete;
  KafkaPublisher& operator=(const KafkaPublisher&) = delete;

  /// Waits for the result, wait_for_room + give_up at most.
  PublishResult publish(KafkaOutgoing message);
  /// Waits for all of them; results are in their order.
  [[nodiscard]] std::vector<PublishResult> publish_all(std::vector<KafkaOutgoing> messages);
  /// Returns when there is room for the message; the result comes later.
  [[nodiscard]] std::future<PublishResult> publish_async(KafkaOutgoing message);
  void publish_async(KafkaOutgoing message, PublishCallback done);

  /// The lanes that have stopped and not been resumed.
  std::vector<StoppedLane> stopped() const;
  /// Lets a lane run again: call it when you have sent again, or given up, what ended as unknown or refused. False: it
  /// has not stopped. Give `key` or `partition` as the messages have them.
  bool resume(const std::string& topic, const std::optional<std::string>& key,
              std::optional<std::int32_t> partition = std::nullopt);

  /// KafkaPublisherOptions::id_header.
  const std::string& id_header() const;

  /// Waits for the results of all that was published before; false: not all of them came in time.
  [[nodiscard]] bool flush(std::chrono::milliseconds timeout);
  /// Takes nothing more, waits for what is in hand, and answers with what has no good end by then. The second time:
  /// empty. Not from a callback (std::logic_error).
  Unresolved close(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A topic as a destination of the outbox. `publisher` is borrowed; the relay resumes lanes of the topic that stop, so give
/// it one that nothing else sends to this topic with. A header named as the publisher's id_header is left out.
std::unique_ptr<Destination> kafka_topic(KafkaPublisher& publisher, std::string topic);

}  // namespace idem
