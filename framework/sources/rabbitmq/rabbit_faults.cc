// What goes wrong on the way between a RabbitSource and its server, and the way back.
#include <poll.h>

#include <algorithm>

#include "rabbitmq/amqp_headers.h"
#include "runtime/log.h"
#include "sources/rabbitmq/rabbit_consumer.h"

namespace idem::rabbit {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// RabbitMQ gives a connection up that takes nothing for 30 s.
constexpr auto longest_unread = 10s;

/// No attempt can heal it: something that was declared or consumed is another thing, or is not there.
bool is_final(const Failure& failure) {
  return failure.code == 406 || (failure.code == 404 && failure.text.find("no queue") != std::string::npos);
}

}  // namespace

// A new incarnation of the channel: tags begin at 1, and every handle of before means nothing any more.
void Consumer::begin(std::unique_ptr<Connection> connection) {
  connection_ = std::move(connection);
  tags_.clear();
  incoming_.reset();
  received_ = 0;
  asked_ = false;
  received_when_empty_ = received_when_told_ = UINT64_MAX;
  const auto now = steady_clock::now();
  next_heartbeat_ = now;
  next_look_ = now + 100ms;
  AssignedPartition assigned;
  assigned.partition = {configuration_.options.queue, 0};
  assigned.log_begin = assigned.initial = 1;
  const std::vector<StartAt> starts = events_->on_assigned({&assigned, 1});
  if (starts.size() != 1) throw std::logic_error("on_assigned must answer for each partition");
  handle_ = starts[0].handle;
  reading_ = starts[0].read;
  paused_ = starts[0].paused;
  unread_since_.reset();
}

void Consumer::channel_closed(int code, const std::string& text) {
  ++tally_.channels_closed;
  static constexpr std::string_view used = "Timeout value used: ";
  // The server's own limit, learnt the hard way once.
  if (const auto at = text.find(used); at != std::string::npos && code == 406) {
    const long limit = std::strtol(text.c_str() + at + used.size(), nullptr, 10);
    if (limit > 0) configuration_.consumer_timeout = std::chrono::milliseconds(limit);
    return lost("the server's consumer_timeout is " + std::to_string(limit) +
                " ms and a message was not done in it; everything unacknowledged comes again. Its limit is known now: set "
                "RabbitOptions::consumer_timeout to it");
  }
  lost("the server closed the channel: " + text);
}

void Consumer::send_failed(int status) {
  connection_->is_dead();
  ++tally_.connections_lost;
  lost(std::string("the connection failed while sending: ") + amqp_error_string2(status));
}

// What was delivered and not acknowledged goes back to the queue with the channel.
void Consumer::lost(const std::string& why) {
  server_was_up_ = connection_ && !connection_->dead();
  leaving_ = std::move(connection_);
  reading_ = false;
  redial_.lost();
  last_said_.clear();
  refused_since_.reset();
  say(why + "; unacknowledged messages come again, connecting anew");
  if (const auto handle = std::exchange(handle_, std::nullopt)) events_->on_lost({&*handle, 1});
}

// The runtime's bytes are used up and more lies in the connection unread. Before the server takes that for a dead
// peer, everything unacknowledged is given back, and no more is asked for than there was room for.
void Consumer::make_room(TimePoint now) {
  if (!paused_ || !reading_ || may_read()) return unread_since_.reset();
  pollfd unread{connection_->socket(), POLLIN, 0};
  if (::poll(&unread, 1, 0) != 1) return unread_since_.reset();
  if (!unread_since_) unread_since_ = now;
  if (now - *unread_since_ < longest_unread) return;
  const auto fits = static_cast<std::uint16_t>(std::clamp<std::size_t>(tags_.outstanding(), 2, 65'535) - 1);
  configuration_.prefetch = std::max<std::uint16_t>(1, std::min<std::uint16_t>(fits, configuration_.prefetch / 2));
  send_acks();
  if (!connection_) return;
  ++tally_.given_back;
  lost("the messages are larger than Budget::bytes has room for at this prefetch; it is lowered to " +
       std::to_string(configuration_.prefetch));
}

// --- the way back --------------------------------------------------------------------------------------------------

void Consumer::connect_again(TimePoint now) {
  if (attempt_) {
    auto result = attempt_->take();
    if (!result) return;
    attempt_.reset();
    if (result->failure) return attempt_failed(*result->failure);
    runtime::log().info("{}: connected to {} again", name_of(configuration_), result->connection->address().to_string());
    last_said_.clear();
    ++tally_.reconnected;
    return begin(std::move(result->connection));
  }
  if (now < redial_.due()) return;
  const std::chrono::milliseconds own_connection_dies = 3 * configuration_.options.heartbeat;
  attempt_ = std::make_unique<Attempt>(
      configuration_, Wish{redial_.address(), configuration_.prefetch, own_connection_dies},
      std::move(leaving_), [this] { wake(); });
}

void Consumer::attempt_failed(const Failure& failure) {
  redial_.failed();
  ++tally_.failed_attempts;
  const auto now = steady_clock::now();
  // A server that comes up refuses for a while what it grants later: it listens before it knows all its queues.
  if (failure.code == 0) refused_since_.reset();
  else if (!refused_since_) refused_since_ = now;
  if (failure.code != 0 && ((is_final(failure) && server_was_up_) ||
                            now - *refused_since_ > 3 * configuration_.options.heartbeat))
    return fatal(failure.what());
  say(std::string("not connected: ") + failure.what() + "; trying on");
}

void Consumer::fatal(const std::string& what) {
  if (std::exchange(ended_, true)) return;
  events_->on_fatal(name_of(configuration_) + ": " + what);
}

/// The same thing is said once in a row.
void Consumer::say(const std::string& what) {
  if (what == last_said_) return;
  last_said_ = what;
  events_->on_warning(name_of(configuration_) + ": " + what);
}

}  // namespace idem::rabbit
