// The broker that the killed consumer reads from: where the messages go, what it was told of them, and how a consumer
// is sent there. Never killed itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/kafka_client.h"

namespace idem::kills {

/// What the broker has been told. A log keeps offsets, a queue keeps the messages themselves.
struct Told {
  std::map<std::int32_t, std::int64_t> committed;  ///< next offset by partition; no entry: nothing committed
  std::optional<std::size_t> left;                 ///< a queue: what it would deliver again
};

class Broker {
 public:
  virtual ~Broker() = default;

  /// Lives end in a group, or on a quorum queue: how one chapter differs from the next.
  struct Kind {
    const char* ordering;
    const char* mode;  ///< passed on to the consumer
  };
  virtual std::vector<Kind> kinds() const = 0;
  virtual std::int32_t partitions() const = 0;

  virtual void create(const std::string& topic, const Kind& kind) = 0;
  /// Returns when all are stored; positions in the same order.
  virtual std::vector<test::Position> produce(const std::string& topic, const std::vector<test::Record>& records) = 0;
  /// No consumer is alive.
  virtual Told told(const std::string& group, const std::string& topic) = 0;

  /// name=value words for the consumer.
  virtual std::vector<std::string> arguments() const = 0;
  /// Whether a consumer of this source comes by the failpoint.
  virtual bool reaches(std::string_view failpoint) const = 0;
};

std::unique_ptr<Broker> make_kafka(bool real);
#ifdef IDEM_KILL_RABBITMQ
std::unique_ptr<Broker> make_rabbitmq();
#endif

}  // namespace idem::kills
