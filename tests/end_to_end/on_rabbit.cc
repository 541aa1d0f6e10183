#include "on_rabbit.h"

namespace idem::test {

void OnRabbit::TearDown() {
  if (!client_) return;
  try {
    client_->delete_queue(queue);
  } catch (const std::runtime_error&) {  // the test has seen to it
  }
}

RabbitClient& OnRabbit::client() {
  if (!client_) client_ = std::make_unique<RabbitClient>(broker().uri());
  return *client_;
}

void OnRabbit::send(const std::string& prefix, int count) {
  std::vector<RabbitMessage> messages;
  for (int i = 0; i < count; ++i) {
    const std::string id = prefix + std::to_string(i);
    messages.push_back({.payload = "about " + id, .id = id});
    sent.push_back(id);
  }
  client().publish(queue, messages);
}

RabbitOptions OnRabbit::reading() {
  RabbitOptions options;
  options.uri = broker().uri();
  options.queue = queue;
  return options;
}

RuntimeOptions OnRabbit::known_by_id() const {
  RuntimeOptions options = quick();
  options.identity = id_from_header("message_id");
  return options;
}

Life OnRabbit::catch_up(const RabbitOptions& reads, const RuntimeOptions& options, Recorder::Before before) {
  auto store = open_store(file);
  RabbitSource source(reads);
  Recorder handler(std::move(before));
  Runtime runtime(options);
  runtime.add(source, *store, handler);
  Exit exit = runtime.run_until_caught_up();
  return {std::move(exit), runtime.counters(), handler.calls()};
}

}  // namespace idem::test
