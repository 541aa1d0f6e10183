// One librdkafka producer: what it is given, what it answers, and how it is emptied when it is given up.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "publishers/kafka/producer_config.h"
#include "publishers/send_queue.h"

namespace idem::kafka {

struct Delivery {
  publish::Ticket ticket = 0;
  int error = 0;           ///< a rd_kafka_resp_err_t
  bool persisted = false;  ///< it is in the log
  bool maybe = false;      ///< it may be in the log
  std::string text;        ///< what went wrong
  bool at_once = false;    ///< said before it was sent, so it is about this message and no other
};

class Instance {
 public:
  /// `wake_fd` is written to when there are answers. Throws std::invalid_argument.
  Instance(const ProducerConfiguration& configuration, int wake_fd);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  enum class Taken { yes, full, no };
  /// `no`: `refusal` says why.
  Taken produce(const KafkaOutgoing& message, publish::Ticket ticket, Delivery& refusal);
  /// The answers that have come.
  void take_answers(std::vector<Delivery>& deliveries);
  /// Answers for everything that is still in it; nothing more is sent.
  void purge(std::vector<Delivery>& deliveries);

  /// Why it can do nothing any more; "": it can.
  const std::string& fatal() const { return fatal_; }
  /// The latest trouble with brokers, once; "": none.
  std::string take_trouble();

 private:
  struct Client;
  const ProducerConfiguration& configuration_;
  std::unique_ptr<Client> client_;
  std::string fatal_, trouble_;
};

}  // namespace idem::kafka
