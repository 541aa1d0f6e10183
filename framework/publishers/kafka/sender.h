// The thread behind a KafkaPublisher.
//
// librdkafka never gives a message up by itself here (message.timeout.ms=0), because it would go on with the ones
// behind it. A message ends by its answer, or by this thread, which first empties the whole producer: only then it is
// known what of a lane was never sent. What is not to end goes into a new producer, in its old order.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <idem/kafka_publisher.h>

#include "publishers/engine.h"
#include "publishers/kafka/instance.h"
#include "publishers/kafka/lanes.h"

namespace idem::kafka {

class Sender final : public publish::Engine<KafkaOutgoing> {
 public:
  using Request = publish::Request<KafkaOutgoing>;

  /// Throws as KafkaPublisher's constructor does.
  explicit Sender(const KafkaPublisherOptions& options);
  ~Sender() override;

  // --- any thread
  /// Takes them together, or gives results at once.
  void submit(Requests requests);
  const std::string& id_header() const { return configuration_.id_header; }
  std::vector<StoppedLane> stopped() const;
  bool resume(const Lane& lane);

 private:
  using TimePoint = publish::TimePoint;
  using Ticket = publish::Ticket;

  void turn() override;
  void stop_sending() override;
  void taken(Ticket ticket) override;

  void open(TimePoint now);
  void produce(TimePoint now);
  void answer();
  void judge(Delivery& delivery);
  void renew(const std::string& why);
  void stop_lanes();
  void expire(TimePoint now);
  void expire_one(Ticket ticket);
  void look_for_silence(TimePoint now);
  void end(Ticket ticket, Known known, std::string why, bool permanent = false);
  void will_stop(Ticket ticket, const std::string& why);
  void say(const std::string& what);

  const KafkaPublisherOptions options_;
  const ProducerConfiguration configuration_;

  // --- the thread's own
  std::unique_ptr<Instance> instance_;
  std::map<Ticket, TimePoint> inside_;  ///< what the instance has been given and has not answered, and when
  std::vector<Delivery> deliveries_;
  std::vector<Ticket> returned_, suspects_;  ///< answered, to be sent again; and which of them may be refused
  std::vector<std::pair<Lane, std::string>> stopping_;
  bool full_ = false;
  int failures_ = 0;  ///< instances since the last good answer
  TimePoint next_instance_{};
  std::string last_said_;

  mutable std::mutex lanes_mutex_;  ///< never held while a callback runs
  Lanes lanes_;
};

}  // namespace idem::kafka
