#include "sources/rabbitmq/rabbit_consumer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "rabbitmq/amqp_headers.h"
#include "runtime/failpoint.h"
#include "runtime/log.h"

namespace idem::rabbit {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr DeliveryTags::Pace ack_pace;
/// So many connections in a row ended with the same kind of frame and nothing done in between.
constexpr int often_enough = 5;
constexpr std::chrono::milliseconds longest_pause{10'000};
constexpr std::chrono::milliseconds look_while_busy{5'000}, look_while_idle{100};

}  // namespace

Consumer::Consumer(const RabbitOptions& options, SourceEvents& events, const SourceContext& context, Tally& tally)
    : configuration_(configure(options, context)),
      events_(&events),
      tally_(tally),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      incoming_(options.key_header),
      redial_(configuration_.server, longest_pause) {
  if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Consumer::~Consumer() {
  attempt_.reset();  // its thread uses wake_fd_
  close(wake_fd_);
}

void Consumer::start() {
  const std::atomic<bool> never{false};
  redial_.begin([&](const Address& address) {
    begin(establish(configuration_, {address, configuration_.prefetch, configuration_.options.wait_for_queue}, never));
  });
}

// --- the path of a message -----------------------------------------------------------------------------------------

void Consumer::poll(std::chrono::milliseconds wait, std::size_t limit) {
  const TimePoint end = steady_clock::now() + wait;
  for (bool once_more = true; once_more && !ended_;) {
    const TimePoint now = steady_clock::now();
    if (!connection_) connect_again(now);
    const bool delivered = read(limit);
    tend(now);
    if (tags_.acks_due(ack_pace, now, last_acks_, !delivered, configuration_.prefetch)) send_acks();
    if (delivered || now >= end) return;
    sleep_until(end);
    // After a wait whatever has come is delivered, unless it was woken: then the runtime has something to do first.
    eventfd_t woken = 0;
    once_more = eventfd_read(wake_fd_, &woken) != 0;
  }
}

// While paused the connection is left unread, and its buffers push back on the server. Not so when the server has sent
// all that the prefetch allows: then nothing but news can come.
bool Consumer::may_read() const {
  return connection_ && reading_ &&
         (!paused_ || (tags_.outstanding() >= configuration_.prefetch && !incoming_.under_way()));
}

/// True: messages were delivered.
bool Consumer::read(std::size_t limit) {
  const std::uint64_t before = received_, full = received_ + limit;
  while (may_read() && received_ < full) {
    const timeval at_once{0, 0};
    amqp_frame_t frame;
    const int status = amqp_simple_wait_frame_noblock(connection_->get(), &frame, &at_once);
    if (status == AMQP_STATUS_TIMEOUT) break;
    if (status == AMQP_STATUS_BAD_AMQP_DATA && ++undecodable_ == often_enough) {
      connection_->is_dead();
      fatal("a message in the queue cannot be decoded by rabbitmq-c (a header table that is broken, or nested too "
            "deeply), and each time it comes it ends the connection. Nothing is lost; nothing behind it can be read. "
            "Take it from the queue by other means");
      return false;
    }
    if (status != AMQP_STATUS_OK) {
      connection_->is_dead();
      ++tally_.connections_lost;
      lost(std::string("the connection failed: ") + amqp_error_string2(status));
      break;
    }
    if (!take(frame)) break;
    if (connection_) amqp_maybe_release_buffers_on_channel(connection_->get(), frame.channel);
  }
  return received_ > before;
}

/// False: enough for this poll.
bool Consumer::take(amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) return take_method(frame);
  if (frame.channel != consuming_channel) return true;
  if (frame.frame_type == AMQP_FRAME_HEADER)
    incoming_.properties(*static_cast<amqp_basic_properties_t*>(frame.payload.properties.decoded),
                         frame.payload.properties.body_size);
  else if (frame.frame_type == AMQP_FRAME_BODY)
    incoming_.body({static_cast<const char*>(frame.payload.body_fragment.bytes), frame.payload.body_fragment.len});
  return !incoming_.complete() || deliver();
}

bool Consumer::take_method(const amqp_frame_t& frame) {
  const void* decoded = frame.payload.method.decoded;
  switch (frame.payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto& delivery = *static_cast<const amqp_basic_deliver_t*>(decoded);
      incoming_.begin(delivery);
      if (tags_.delivered(delivery.delivery_tag, steady_clock::now())) return true;
      lost("delivery tag " + std::to_string(delivery.delivery_tag) + " came out of turn");
      return false;
    }
    case AMQP_QUEUE_DECLARE_OK_METHOD: {
      const auto& told = *static_cast<const amqp_queue_declare_ok_t*>(decoded);
      length_is(told.message_count, told.consumer_count);
      return true;
    }
    case AMQP_BASIC_CANCEL_METHOD:
      ++tally_.cancelled;
      lost("the server cancelled the consumer: the queue was deleted, or its node went down");
      return false;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& closed = *static_cast<const amqp_channel_close_t*>(decoded);
      channel_closed(closed.reply_code, text(closed.reply_text));
      return false;
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      amqp_connection_close_ok_t ok{};
      amqp_send_method(connection_->get(), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
      const std::string said = text(static_cast<const amqp_connection_close_t*>(decoded)->reply_text);
      connection_->is_dead();
      ++tally_.connections_closed;
      lost("the server closed the connection: " + said);
      return false;
    }
    case AMQP_CONNECTION_BLOCKED_METHOD:
      ++tally_.blocked;
      // It stops publishers; consuming goes on, and is what helps.
      events_->on_warning(name_of(configuration_) + ": the server has blocked publishers: " +
                          text(static_cast<const amqp_connection_blocked_t*>(decoded)->reason));
      return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      ++tally_.unblocked;
      runtime::log().info("{}: the server has unblocked publishers", name_of(configuration_));
      return true;
    default:
      return true;  // answers that nobody waits for
  }
}

/// False: the runtime has had enough for this poll.
bool Consumer::deliver() {
  Message message;
  message.topic = configuration_.options.queue;
  incoming_.fill(message);
  if (received_++ == received_when_told_) next_look_ = steady_clock::now() + look_while_idle;  // the end is another one
  (void)IDEM_FAILPOINT("source.polled");
  return events_->on_message(*handle_, message);
}

void Consumer::set_paused(PartitionHandle handle, bool paused) {
  if (!holds(handle)) return;
  paused_ = paused;
  unread_since_.reset();
}

// --- acknowledgements ----------------------------------------------------------------------------------------------

void Consumer::acknowledge(PartitionHandle handle, std::span<const std::int64_t> offsets) {
  if (holds(handle)) tags_.done(offsets);
}

void Consumer::send_acks() {
  if (!connection_ || !tags_.any_done()) return;
  last_acks_ = steady_clock::now();
  if (IDEM_FAILPOINT("source.before_commit")) return;
  acks_.clear();
  tags_.take_acks(acks_);
  for (const DeliveryTags::Ack& ack : acks_) {
    undecodable_ = 0;
    // No answer comes to this: what the server did not get comes again and is known then.
    if (const int status = amqp_basic_ack(connection_->get(), consuming_channel, ack.tag, ack.multiple);
        status != AMQP_STATUS_OK)
      return send_failed(status);
    (void)IDEM_FAILPOINT("source.after_commit_sent");
  }
}

// --- small duties --------------------------------------------------------------------------------------------------

void Consumer::tend(TimePoint now) {
  if (connection_)
    if (const int status = heartbeat(now); status != AMQP_STATUS_OK) send_failed(status);
  if (connection_) hand_back_old(now);
  if (connection_) ask_for_length(now);
  if (connection_) make_room(now);
}

/// rabbitmq-c's word on it.
int Consumer::heartbeat(TimePoint now) {
  if (connection_->heartbeat() == 0 || now < next_heartbeat_) return AMQP_STATUS_OK;
  next_heartbeat_ = now + std::chrono::milliseconds(500 * connection_->heartbeat());
  amqp_frame_t frame{};
  frame.frame_type = AMQP_FRAME_HEARTBEAT;
  return amqp_send_frame(connection_->get(), &frame);
}

// If it fails, the next poll finds out and says so.
void Consumer::keep_alive() {
  if (connection_) (void)heartbeat(steady_clock::now());
}

// Only this delivery goes back to the queue: its neighbours are not touched, and neither is its handler. What the
// handler then finishes is durable, and the copy that comes waits for it and is found to be done.
void Consumer::hand_back_old(TimePoint now) {
  if (configuration_.consumer_timeout <= 0ms) return;
  const TimePoint limit = now - configuration_.consumer_timeout * 4 / 5;
  if (const auto oldest = tags_.oldest(); !oldest || *oldest >= limit) return;
  send_acks();
  while (connection_) {
    const auto tag = tags_.hand_back(limit);
    if (!tag) return;
    ++tally_.handed_back;
    if (!std::exchange(handing_back_said_, true))
      events_->on_warning(name_of(configuration_) + ": a message is not done after four fifths of consumer_timeout (" +
                          std::to_string(configuration_.consumer_timeout.count()) +
                          " ms); it is handed back to the queue while its handler goes on, and its copy will be skipped. "
                          "Make the handler quicker, the budget smaller, or consumer_timeout larger here and at the server");
    if (const int status = amqp_basic_nack(connection_->get(), consuming_channel, *tag, /*multiple=*/0, /*requeue=*/1);
        status != AMQP_STATUS_OK)
      send_failed(status);
  }
}

// A passive declaration answers with the number of messages, and closes the channel if the queue is gone.
void Consumer::ask_for_length(TimePoint now) {
  if (asked_ || now < next_look_ || !may_read()) return;
  amqp_queue_declare_t question{};
  question.queue = bytes(configuration_.options.queue);
  question.passive = 1;
  asked_ = true;
  received_when_asked_ = received_;
  if (const int status = amqp_send_method(connection_->get(), consuming_channel, AMQP_QUEUE_DECLARE_METHOD, &question);
      status != AMQP_STATUS_OK)
    send_failed(status);
}

// The answer may overtake messages that were on their way when it was given. If a second one says the same and nothing
// has come in between, there were none.
void Consumer::length_is(std::uint32_t ready, std::uint32_t consumers) {
  asked_ = false;
  // This one is a consumer: without it, it is no answer. The server says so if a quorum queue's leader is slow or away.
  if (consumers == 0) {
    next_look_ = steady_clock::now() + look_while_idle;
    return;
  }
  ready_ = ready;
  const bool quiet = ready == 0 && received_ == received_when_asked_;
  const bool sure = quiet && received_when_empty_ == received_;
  received_when_empty_ = quiet ? received_ : UINT64_MAX;
  const bool told = received_when_told_ == received_;
  next_look_ = steady_clock::now() + (quiet && !told ? look_while_idle : look_while_busy);
  if (!sure || told) return;
  received_when_told_ = received_;
  next_look_ = steady_clock::now() + look_while_busy;
  events_->on_end(*handle_, static_cast<std::int64_t>(received_) + 1);
}

std::optional<std::int64_t> Consumer::lag(PartitionHandle handle) const {
  if (!holds(handle) || !ready_) return std::nullopt;
  return *ready_ + static_cast<std::int64_t>(tags_.outstanding());
}

// --- waiting and waking --------------------------------------------------------------------------------------------

Consumer::TimePoint Consumer::next_duty() const {
  if (!connection_) return attempt_ ? TimePoint::max() : redial_.due();
  TimePoint next = connection_->heartbeat() > 0 ? next_heartbeat_ : TimePoint::max();
  if (!asked_ && may_read()) next = std::min(next, next_look_);
  if (tags_.any_done()) next = std::min(next, last_acks_ + ack_pace.longest);
  return next;
}

void Consumer::sleep_until(TimePoint end) {
  end = std::min({end, next_duty(), steady_clock::now() + 1s});
  const auto patience = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
  // Unread, the socket still tells that the other side has gone.
  const short wanted = may_read() ? POLLIN : POLLRDHUP;
  pollfd events[] = {{wake_fd_, POLLIN, 0}, {connection_ ? connection_->socket() : -1, wanted, 0}};
  if (::poll(events, 2, static_cast<int>(std::max<std::int64_t>(0, patience))) <= 0 || may_read()) return;
  if (connection_ && (events[1].revents & (POLLRDHUP | POLLHUP | POLLERR))) {
    connection_->is_dead();
    ++tally_.connections_lost;
    lost("the connection was closed by the other side");
  }
}

void Consumer::wake() { eventfd_write(wake_fd_, 1); }

// --- stop ----------------------------------------------------------------------------------------------------------

// Cancel, finish what runs, acknowledge what is done, close: closing hands everything else back, in its order and in
// one step, so what still runs or never ran needs no word of its own.
//
// There is no cancel where nobody else may read, and nobody waits for the messages. A quorum queue takes back at once what is
// on its way to a consumer that has been cancelled, in no order and before what that one still has (seen on 3.10: the next
// connection gets the latest first); a classic queue counts no consumer any more that has messages still, so that the next
// one would not wait for them (wait_until_nobody_reads).
void Consumer::stop() {
  (void)IDEM_FAILPOINT("source.stop");
  attempt_.reset();
  if (connection_ && !configuration_.exclusive) {
    amqp_basic_cancel_t cancel{};
    cancel.consumer_tag = amqp_cstring_bytes("idem");
    cancel.nowait = 1;
    amqp_send_method(connection_->get(), consuming_channel, AMQP_BASIC_CANCEL_METHOD, &cancel);
  }
  if (const auto handle = handle_) {
    reading_ = false;
    events_->on_revoked({&*handle, 1});
    handle_.reset();
    send_acks();
  }
  if (connection_) connection_->close();
  if (leaving_) leaving_->close();
  connection_.reset();
  leaving_.reset();
}

}  // namespace idem::rabbit
