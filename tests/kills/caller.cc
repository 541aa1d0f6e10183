#include "kills/caller.h"

#include <httplib.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "kills/act.h"
#include "kills/call_headers.h"
#include "kills/place_of.h"

namespace idem::kills {
namespace {

using namespace std::chrono_literals;

// What the callers of one process share.
struct Callers {
  std::string address;
  int life = 0;
  std::chrono::microseconds slow{0};
  bool resolve = false;
  std::atomic<int> calls{0};
};

class Caller final : public ExternalHandler {
 public:
  explicit Caller(std::shared_ptr<Callers> shared) : shared_(std::move(shared)), client_("http://" + shared_->address) {
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(true);
    client_.set_read_timeout(60s);  // a busy machine is no trouble that is looked for
  }

  Outcome handle(const Message& message, const Attempt& attempt) override {
    const auto payload = Payload::parse(message.text());
    if (!payload) return dead_letter("malformed");
    if (shared_->slow > 0us) std::this_thread::sleep_for(shared_->slow);
    const auto answer = client_.Post("/effects", headers(message, attempt), std::string(message.text()), "text/plain");
    if (!answer) return retry("no answer: " + httplib::to_string(answer.error()));
    if (answer->status == 200 && attempt.number == 1 && payload->act == Act::throw_int) throw 7;
    switch (answer->status) {
      case 200: return done();
      case 422: return dead_letter("refused");
      case 503: return retry_after(1ms, "not now");
      default: throw std::runtime_error("the service answered " + std::to_string(answer->status));
    }
  }

  // Never "not executed": the call of a process that was killed may still be under way.
  Resolution resolve(const Message&, const Attempt& attempt) override {
    if (!shared_->resolve) return Resolution::unknown;
    const auto answer = client_.Get("/effects/" + std::string(attempt.key));
    if (!answer) throw std::runtime_error("no answer: " + httplib::to_string(answer.error()));
    return answer->status == 200 ? Resolution::executed : Resolution::unknown;
  }

 private:
  httplib::Headers headers(const Message& message, const Attempt& attempt) {
    return {{call_header::key, std::string(attempt.key)},
            {call_header::message_id, std::string(message.id)},
            {call_header::maybe_executed, attempt.maybe_executed ? "1" : "0"},
            {call_header::attempt, std::to_string(attempt.number)},
            {call_header::life, std::to_string(shared_->life)},
            {call_header::number, std::to_string(++shared_->calls)},
            {call_header::partition, std::to_string(message.partition)},
            {call_header::place, std::to_string(place_of(message))},
            {call_header::message_key, std::string(message.key.value_or("-"))}};
  }

  const std::shared_ptr<Callers> shared_;
  httplib::Client client_;
};

}  // namespace

ExternalHandlerFactory make_callers(const Arguments& arguments) {
  signal(SIGPIPE, SIG_IGN);  // the service may close a connection that we write to
  auto shared = std::make_shared<Callers>();
  shared->address = arguments.text("call");
  shared->life = static_cast<int>(arguments.number("life", 0));
  shared->slow = std::chrono::microseconds(arguments.number("slow_us", 0));
  shared->resolve = arguments.number("resolve", 0) != 0;
  return [shared] { return std::make_unique<Caller>(shared); };
}

}  // namespace idem::kills
