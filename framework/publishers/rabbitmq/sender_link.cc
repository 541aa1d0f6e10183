// Connecting, losing, connecting again.
#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "publishers/rabbitmq/sender.h"

namespace idem::rabbit {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

void Sender::connect_at_start() {
  redial_.begin([this](const Address& address) { begin(connect_publisher(server_, address, options_)); },
                ", or set connect_at_start = false");
}

void Sender::begin(std::unique_ptr<Connection> connection) {
  connection_ = std::move(connection);
  unblocked_at_ = steady_clock::now();
  set_obstacle("");
}

// An attempt takes seconds where a host does not answer, so it has a thread of its own: deadlines are kept meanwhile.
void Sender::connect(TimePoint now) {
  if (attempt_.valid()) {
    if (attempt_.wait_for(0s) != std::future_status::ready) return;
    attempt_thread_.join();
    try {
      begin(attempt_.get());
      runtime::log().info("rabbitmq {}: connected to {}", options_.name, connection_->address().to_string());
    } catch (const std::exception& failure) {
      attempt_failed(failure.what());
    }
    return;
  }
  if (now < redial_.due()) return;
  std::packaged_task<std::unique_ptr<Connection>()> task(
      [this, address = redial_.address(), old = std::move(leaving_)]() mutable {
        if (old) old->close();
        old.reset();
        return connect_publisher(server_, address, options_);
      });
  std::future<std::unique_ptr<Connection>> result = task.get_future();
  try {
    attempt_thread_ = std::thread([this, task = std::move(task)]() mutable {
      task();
      wake();
    });
    attempt_ = std::move(result);
  } catch (const std::system_error& e) {
    attempt_failed(std::string("no thread to connect with: ") + e.what());
  }
}

void Sender::attempt_failed(const std::string& what) {
  redial_.failed();
  const std::string obstacle = "no connection: " + what;
  say(obstacle + "; trying on");
  set_obstacle(obstacle);
}

// Everything unanswered is sent again, with its id.
void Sender::lost(const std::string& why) {
  if (!connection_) return;
  leaving_ = std::move(connection_);
  leaving_->is_dead();  // nothing is said on it any more, a message may be half written
  settle_answered();
  const std::vector<Ticket> tickets = take_unanswered();
  queue_.back(tickets);
  blocked_.clear();
  waits_for_space_ = more_to_write_ = false;
  say(why + "; what is unanswered will be sent again (" + std::to_string(tickets.size()) + " messages)");
  set_obstacle("no connection: " + why);
  redial_.lost();
}

void Sender::look_for_silence(TimePoint now) {
  const auto oldest = rolling_back_ ? rolling_back_since_ : window_.oldest();
  if (!oldest || !blocked_.empty() || now - std::max(*oldest, unblocked_at_) < options_.confirm_timeout) return;
  lost("the server has not answered for " + std::to_string(options_.confirm_timeout.count()) +
       " ms (RabbitPublisherOptions::confirm_timeout)");
}

/// The same thing is said once in a row.
void Sender::say(const std::string& what) {
  if (what == last_said_) return;
  last_said_ = what;
  runtime::log().warn("rabbitmq {}: {}", options_.name, what);
}

}  // namespace idem::rabbit
