// What a history asks of a node's source, whichever kind it is: a part of a log (log_source.h) or a queue
// (queue_source.h).
#pragma once

#include <idem/source.h>

#include "sim/broker.h"

namespace idem::sim {

class SimReader : public Source {
 public:
  // --- What the broker does to it; noticed in the next poll
  virtual void order_assign(int partition) = 0;
  virtual void order_revoke(int partition) = 0;
  /// The broker has given the partition away already.
  virtual void order_lost(int partition) = 0;
  virtual bool ordered(int partition) const = 0;
  virtual bool holds(int partition) const = 0;

  /// What is on its way to the broker.
  virtual bool requests_pending() const = 0;
  virtual void broker_handles_next() = 0;

  /// After the last message received of the partition, in the producer's order.
  virtual std::int64_t position(int partition) const = 0;
};

/// A message as a source delivers it; borrowed until the next one is made.
class SimMessage {
 public:
  SimMessage(const Sent& sent, std::int64_t offset, bool with_place);
  const Message& operator*() const { return message_; }

 private:
  Header headers_[2];
  Message message_;
};

}  // namespace idem::sim
