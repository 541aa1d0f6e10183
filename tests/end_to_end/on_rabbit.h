// The fixture of the tests on a real RabbitMQ: a queue and a store's file of their own for each test.
#pragma once

#include <idem/rabbitmq.h>

#include <memory>
#include <string>
#include <vector>

#include "kit.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/require.h"
#include "support/scratch.h"
#include "support/unique_name.h"

namespace idem::test {

class OnRabbit : public testing::Test {
 protected:
  void SetUp() override { IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable()); }
  void TearDown() override;

  /// The server of this test; a test that harms it replaces it by its own.
  virtual RabbitBroker& broker() { return RabbitBroker::shared(); }
  /// Connected anew after a test has called forget_client().
  RabbitClient& client();
  void forget_client() { client_.reset(); }

  void make_queue(const std::string& type = "classic") { client().declare_queue(queue, {{"x-queue-type", type}}); }
  /// Sends `count` messages with ids <prefix>0, <prefix>1, … and adds the ids to `sent`.
  void send(const std::string& prefix, int count);

  RabbitOptions reading();
  RuntimeOptions known_by_id() const;

  /// One run from opening the store to closing it, until the queue is empty and all of it done.
  Life catch_up(const RabbitOptions& source, const RuntimeOptions& options, Recorder::Before before = {});
  Life catch_up() { return catch_up(reading(), known_by_id()); }

  std::vector<Effect> effects() const { return effects_in(file); }
  /// `sent` against the effects in the store's file.
  Account balance() const { return account(sent, effects()); }

  Scratch scratch{"e2e"};
  std::filesystem::path file = scratch / "ledger.db";
  std::string queue = unique_name("e2e");
  std::vector<std::string> sent;

 private:
  std::unique_ptr<RabbitClient> client_;
};

}  // namespace idem::test
