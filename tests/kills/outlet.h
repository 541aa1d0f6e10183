// Where the killed consumer's outbox sends to, and who reads there what has come: clients that share nothing with idem.
// Never killed itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kills/checker.h"

namespace idem::kills {

/// A message as it lies there.
struct Relayed {
  std::string id;  ///< its own, made by the outbox
  std::string of;  ///< the message whose handler sent it, as name_of() has it
  std::string key;
};

class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual std::string kind() const = 0;
  virtual void create(const std::string& name) = 0;
  /// name=value words for the consumer.
  virtual std::vector<std::string> arguments(const std::string& name) const = 0;
  /// All there is, in its order.
  virtual std::vector<Relayed> take_all(const std::string& name) = 0;
};

std::unique_ptr<Outlet> make_kafka_outlet();
#ifdef IDEM_KILL_RABBITMQ
std::unique_ptr<Outlet> make_rabbit_outlet(const std::string& queue_type);
#endif

/// Every effect has told of itself, under one id, as often as it may be and in the order of the effects (of a key), and
/// nothing else has. Pure.
struct RelayVerdict {
  Verdict verdict;
  std::size_t copies = 0;  ///< sent once more with the same id
};
RelayVerdict check_relayed(const std::vector<Effect>& effects, const std::vector<Relayed>& relayed);

}  // namespace idem::kills
