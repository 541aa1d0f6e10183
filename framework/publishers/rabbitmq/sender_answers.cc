// What the server says, and what follows from it for the messages.

#include <algorithm>

#include "publishers/rabbitmq/sender.h"
#include "rabbitmq/amqp_headers.h"

namespace idem::rabbit {

using std::chrono::steady_clock;

namespace {

/// Codes with which a server refuses one message and closes the channel or the connection over it: too large, no right,
/// no such exchange, a property it does not accept, a frame or value it cannot read.
bool is_over_a_message(int code) {
  static constexpr int codes[] = {AMQP_CONTENT_TOO_LARGE,   AMQP_ACCESS_REFUSED, AMQP_NOT_FOUND,
                                  AMQP_PRECONDITION_FAILED, AMQP_FRAME_ERROR,    AMQP_SYNTAX_ERROR,
                                  AMQP_NOT_IMPLEMENTED};
  return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
}

std::string remedy(int code) {
  switch (code) {
    case AMQP_NOT_FOUND:
      return "; declare the exchange in RabbitPublisherOptions::topology or correct RabbitOutgoing::exchange";
    case AMQP_ACCESS_REFUSED:
      return "; give the user the right to write to the exchange";
    default:
      return "";
  }
}

}  // namespace

void Sender::read() {
  while (connection_) {
    const timeval at_once{0, 0};
    amqp_frame_t frame;
    const int status = amqp_simple_wait_frame_noblock(connection_->get(), &frame, &at_once);
    if (status == AMQP_STATUS_TIMEOUT) break;
    if (status != AMQP_STATUS_OK) {
      settle_answered();
      return lost(std::string("the connection failed: ") + amqp_error_string2(status));
    }
    take(frame);
    if (connection_) amqp_maybe_release_buffers(connection_->get());
  }
  settle_answered();
}

void Sender::take(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) return take_method(frame);
  if (!coming_back_ || frame.channel != publishing_channel) return;
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    if (properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) coming_back_->id = text(properties.message_id);
    coming_back_->missing = frame.payload.properties.body_size;
    coming_back_->has_header = true;
  } else if (frame.frame_type == AMQP_FRAME_BODY) {
    coming_back_->missing -= std::min<std::uint64_t>(coming_back_->missing, frame.payload.body_fragment.len);
  }
  take_back_if_complete();
}

void Sender::take_back_if_complete() {
  if (!coming_back_->has_header || coming_back_->missing > 0) return;
  const ComingBack message = std::move(*coming_back_);
  coming_back_.reset();
  if (!window_.returned(message.id, message.why)) lost("a message came back that was not sent");
}

void Sender::take_method(const amqp_frame_t& frame) {
  const void* decoded = frame.payload.method.decoded;
  bool known = true;
  switch (frame.payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(decoded);
      known = window_.ack(ack.delivery_tag, ack.multiple, settled_);
      break;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(decoded);
      known = window_.nack(nack.delivery_tag, nack.multiple, settled_);
      break;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto& back = *static_cast<const amqp_basic_return_t*>(decoded);
      coming_back_.emplace();
      coming_back_->why = "no queue is bound to exchange \"" + text(back.exchange) + "\" for routing key \"" +
                          text(back.routing_key) + "\" (" + text(back.reply_text) + "); bind one, or correct the two";
      break;
    }
    case AMQP_TX_COMMIT_OK_METHOD:
      committing_ = false;
      known = window_.ack(0, /*multiple=*/true, settled_);
      break;
    case AMQP_TX_ROLLBACK_OK_METHOD:
      rolling_back_ = false;
      break;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& closed = *static_cast<const amqp_channel_close_t*>(decoded);
      settle_answered();
      return channel_closed(closed.reply_code, closed.class_id == AMQP_BASIC_CLASS, text(closed.reply_text));
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const auto& closed = *static_cast<const amqp_connection_close_t*>(decoded);
      const int code = closed.reply_code;
      const std::string said = text(closed.reply_text);
      amqp_connection_close_ok_t ok{};
      amqp_send_method(connection_->get(), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
      settle_answered();
      if (transactional())
        blame_transaction(code, closed.class_id == AMQP_BASIC_CLASS, said);
      else if (is_over_a_message(code))
        blame(code, said);
      return lost("the server closed the connection: " + said);
    }
    case AMQP_CONNECTION_BLOCKED_METHOD:
      blocked_ = text(static_cast<const amqp_connection_blocked_t*>(decoded)->reason);
      if (blocked_.empty()) blocked_ = "no reason given";
      set_obstacle("the server has blocked publishers (" + blocked_ + ")");
      break;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_.clear();
      unblocked_at_ = steady_clock::now();
      set_obstacle("");
      break;
    default:
      break;
  }
  if (!known) lost("the server answered a message that was not sent");
}

void Sender::settle_answered() {
  for (ConfirmWindow::Settled& answer : settled_) {
    queue_.answered(answer.ticket);
    if (answer.known == Known::refused)
      take_nack(answer.ticket);
    else
      book_.settle(answer.ticket, answer.known, std::move(answer.why), answer.known == Known::returned);
  }
  settled_.clear();
}

void Sender::take_nack(Ticket ticket) {
  if (options_.nack_pause.count() == 0) return book_.settle(ticket, Known::refused, nack_reason);
  Request* request = book_.find(ticket);
  if (!request) return;
  say(std::string(nack_reason) + "; sent again every " + std::to_string(options_.nack_pause.count()) + " ms");
  request->maybe_stored = false;
  request->nacked = true;
  nacked_.emplace_back(steady_clock::now() + options_.nack_pause, ticket);
}

/// What was on its way and still has no result; nothing is on its way any more but these.
std::vector<Sender::Ticket> Sender::take_unanswered() {
  std::vector<Ticket> tickets = window_.clear();
  std::erase_if(tickets, [this](Ticket ticket) {
    if (book_.find(ticket)) return false;
    queue_.answered(ticket);
    return true;
  });
  writer_.give_up();
  committing_ = rolling_back_ = false;
  coming_back_.reset();
  return tickets;
}

void Sender::channel_closed(int code, bool while_publishing, const std::string& said) {
  say("the server closed the channel: " + said);
  const bool half_written = writer_.busy();
  amqp_channel_close_ok_t ok{};
  amqp_send_method(connection_->get(), publishing_channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
  if (transactional())
    blame_transaction(code, while_publishing, said);
  else if (is_over_a_message(code))
    blame(code, said);
  else
    queue_.back(take_unanswered());
  // The server still waits for the rest of the message, and takes whatever else comes for an error of the connection.
  if (half_written) return lost("the server closed the channel within a message");
  try {
    open_publishing_channel(*connection_, options_.mode);
  } catch (const Failure& failure) {
    lost(failure.what());
  }
}

// The server does not say which message it was. Nothing after it on that channel was looked at, and what was before it
// may be stored.
void Sender::blame(int code, const std::string& said) {
  const std::vector<Ticket> tickets = take_unanswered();
  if (tickets.size() != 1) {
    queue_.back(tickets);
    return queue_.suspect(tickets);
  }
  queue_.answered(tickets[0]);
  const bool permanent = code != AMQP_NOT_FOUND && code != AMQP_ACCESS_REFUSED;  // those are about the exchange
  book_.settle(tickets[0], Known::refused, "the server refuses the message: " + said + remedy(code), permanent);
}

// Refused before the commit was looked at, nothing of the transaction is stored. Refused at the commit, each queue has
// decided for itself.
void Sender::blame_transaction(int code, bool while_publishing, const std::string& said) {
  const std::vector<Ticket> tickets = take_unanswered();
  if (!while_publishing && !is_over_a_message(code)) return queue_.back(tickets);
  const bool certain = while_publishing || tickets.size() == 1;
  const std::string why =
      certain ? "the server refuses the transaction: " + said : "the server completed the transaction in part: " + said;
  bool whole = false;
  for (const Ticket ticket : tickets) {
    whole = book_.find(ticket)->ends_batch;
    queue_.answered(ticket);
    book_.settle(ticket, certain ? Known::refused : Known::unknown, why);
  }
  while (!tickets.empty() && !whole) {  // what of it was not even sent
    const auto ticket = queue_.next();
    if (!ticket) break;
    whole = book_.find(*ticket)->ends_batch;
    queue_.drop(*ticket);
    book_.settle(*ticket, Known::refused, why);
  }
}

void Sender::roll_back(const std::string& why) {
  for (const Ticket ticket : take_unanswered()) {
    queue_.answered(ticket);
    book_.settle(ticket, Known::refused, why);
  }
  rolling_back_ = true;
  rolling_back_since_ = steady_clock::now();
  amqp_tx_rollback_t rollback{};
  if (const int status = amqp_send_method(connection_->get(), publishing_channel, AMQP_TX_ROLLBACK_METHOD, &rollback);
      status != AMQP_STATUS_OK)
    lost(std::string("the connection failed: ") + amqp_error_string2(status));
}

}  // namespace idem::rabbit
