// Connecting, losing, connecting again.
#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "publishers/rabbitmq/sender.h"

namespace idem::rabbit {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds first_pause{50}, longest_pause{5'000};

}  // namespace

void Sender::connect_at_start() {
  std::string failures;
  for (std::size_t i = 0; i < configuration_.addresses.size(); ++i) {
    try {
      next_address_ = i;
      return begin(connect_publisher(configuration_, configuration_.addresses[i], options_.mode));
    } catch (const Failure& failure) {
      if (failure.code != 0) throw std::runtime_error("RabbitMQ publisher: " + of_publisher(failure.what()));
      failures += (failures.empty() ? "" : "; ") + of_publisher(failure.what());
    }
  }
  throw std::runtime_error("RabbitMQ publisher: " + failures + "; check RabbitPublisherOptions::uri (" +
                           redact_uri(options_.uri) + ") and that the server runs, or set connect_at_start = false");
}

void Sender::begin(std::unique_ptr<Connection> connection) {
  connection_ = std::move(connection);
  unblocked_at_ = steady_clock::now();
  failures_ = 0;
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
      attempt_failed(of_publisher(failure.what()));
    }
    return;
  }
  if (now < next_attempt_) return;
  std::packaged_task<std::unique_ptr<Connection>()> task(
      [this, address = configuration_.addresses[next_address_], old = std::move(leaving_)]() mutable {
        if (old) old->close();
        old.reset();
        return connect_publisher(configuration_, address, options_.mode);
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
  ++failures_;
  next_address_ = (next_address_ + 1) % configuration_.addresses.size();
  const std::string obstacle = "no connection: " + what;
  say(obstacle + "; trying on");
  set_obstacle(obstacle);
  const double doubled = static_cast<double>(first_pause.count()) * (1 << std::min(failures_, 16));
  const double pause = std::min(doubled, static_cast<double>(longest_pause.count()));
  const double part = std::uniform_real_distribution<double>(0.5, 1)(random_);
  next_attempt_ = steady_clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(pause * part));
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
  next_attempt_ = steady_clock::now();
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
