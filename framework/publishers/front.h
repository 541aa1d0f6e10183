// What the publishers' public methods have in common.
#pragma once

#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "publishers/request.h"

namespace idem::publish {

/// `Engine` has submit(vector<Request<Message>>) and on_own_thread().
template <class Engine, class Message>
void submit(Engine& engine, Message message, PublishCallback done) {
  std::vector<Request<Message>> requests(1);
  requests[0].message = std::move(message);
  requests[0].done = std::move(done);
  engine.submit(std::move(requests));
}

template <class Engine, class Message>
std::future<PublishResult> submit_for_future(Engine& engine, Message message) {
  auto promise = std::make_shared<std::promise<PublishResult>>();
  auto result = promise->get_future();
  submit(engine, std::move(message), [promise](const PublishResult& known) { promise->set_value(known); });
  return result;
}

template <class Engine, class Message>
std::vector<PublishResult> submit_and_wait(Engine& engine, std::vector<Message> messages) {
  std::vector<PublishResult> results;
  if (engine.on_own_thread()) {
    for (Message& message : messages)
      results.push_back({PublishResult::Known::refused, std::move(message.id),
                         "waiting for a result inside a publisher's callback would never end; use publish_async()"});
    return results;
  }
  std::vector<Request<Message>> requests(messages.size());
  std::vector<std::promise<PublishResult>> promises(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    requests[i].message = std::move(messages[i]);
    requests[i].done = [&promise = promises[i]](const PublishResult& known) { promise.set_value(known); };
  }
  engine.submit(std::move(requests));
  for (auto& promise : promises) results.push_back(promise.get_future().get());
  return results;
}

template <class Engine, class Message>
PublishResult submit_one_and_wait(Engine& engine, Message message) {
  std::vector<Message> messages;
  messages.push_back(std::move(message));
  return std::move(submit_and_wait(engine, std::move(messages)).front());
}

}  // namespace idem::publish
