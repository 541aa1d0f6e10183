#include "publishers/rabbitmq/sender.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "rabbitmq/amqp_headers.h"

namespace idem::rabbit {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// What a message costs beside its texts.
constexpr std::size_t overhead = 256;
/// Written in one turn before the answers are looked at again; a writable socket has room for it.
constexpr std::size_t burst = 96 << 10;
constexpr std::chrono::milliseconds longest_pause{5'000};

std::size_t size_of(const RabbitOutgoing& m) {
  std::size_t size = overhead + m.payload.size() + m.id.size();
  for (const auto& [name, value] : m.headers)
    if (const auto* text = std::get_if<std::string>(&value)) size += name.size() + text->size();
  return size;
}

/// Small frames leave together, when this ends. The socket outlives it.
class Cork {
 public:
  Cork() = default;
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;
  void put_on(int socket) {
    socket_ = socket;
    set(1);
  }
  bool is_on() const { return socket_ >= 0; }

 private:
  void set(int on) {
    if (is_on()) setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  }
  int socket_ = -1;
};

bool writable(int socket) {
  pollfd ready{socket, POLLOUT, 0};
  return ::poll(&ready, 1, 0) == 1;
}

}  // namespace

Sender::Sender(const RabbitPublisherOptions& options)
    : Engine({options.queue_messages, options.queue_bytes, options.wait_for_room}, options.give_up),
      options_(options),
      server_(configure_publisher(options)),
      redial_(server_, longest_pause) {
  if (options_.connect_at_start) connect_at_start();
  start();
}

Sender::~Sender() { close_and_log(options_.close_timeout, "rabbitmq " + options_.name); }

// --- callers' side -------------------------------------------------------------------------------------------------

/// True: nothing of it is to be sent.
bool Sender::refuse_defects(Requests& requests) const {
  std::string first;
  std::set<std::string_view> ids;
  for (Request& request : requests) {
    std::string defect = defect_of(request.message);
    // A return finds its message by the id, and inside a transaction it cannot wait for the other one's answer.
    if (defect.empty() && transactional() && !ids.insert(request.message.id).second)
      defect = "two messages of one transaction have this id";
    if (defect.empty()) continue;
    if (first.empty()) first = "message \"" + request.message.id.substr(0, 64) + "\": " + defect;
    if (!transactional()) {
      if (request.done) request.done({Known::refused, request.message.id, std::move(defect), /*permanent=*/true});
      request.size = 0;  // has its result
    }
  }
  if (first.empty()) return false;
  if (transactional()) {
    refuse(requests, "nothing of the transaction was sent: " + first);
    return true;
  }
  std::erase_if(requests, [](const Request& request) { return request.size == 0; });
  return requests.empty();
}

void Sender::submit(Requests requests) {
  if (requests.empty()) return;
  for (Request& request : requests) {
    RabbitOutgoing& message = request.message;
    if (message.id.empty()) message.id = publish::new_message_id();
    if (!message.timestamp)
      message.timestamp = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    request.size = size_of(message);
    request.ends_batch = &request == &requests.back();
  }
  if (transactional() && requests.size() > options_.window)
    return refuse(requests, "a transaction of " + std::to_string(requests.size()) +
                                " messages is larger than RabbitPublisherOptions::window, " +
                                std::to_string(options_.window));
  if (!refuse_defects(requests)) hand_over(requests);
}

// --- the thread ----------------------------------------------------------------------------------------------------

void Sender::turn() {
  take_in();
  const TimePoint now = steady_clock::now();
  if (!connection_) connect(now);
  if (connection_) read();
  if (connection_) look_for_silence(now);
  send_nacked_again(now);
  if (connection_) write();
  expire(now);
  book_.release();
  if (!more_to_write_ || waits_for_space_) rest(now);
}

void Sender::rest(TimePoint now) {
  TimePoint end = now + std::min<std::chrono::milliseconds>(1s, 500ms * options_.heartbeat.count());
  if (!connection_ && !attempt_.valid()) end = std::min(end, redial_.due());
  if (!nacked_.empty()) end = std::min(end, nacked_.front().first);
  const short wanted = static_cast<short>(POLLIN | (waits_for_space_ ? POLLOUT : 0));
  sleep(end, {connection_ ? connection_->socket() : -1, wanted, 0});
}

// Half a message may be written, so nothing more can be said on a connection that has unanswered ones.
void Sender::stop_sending() {
  writer_.give_up();
  if (connection_ && window_.outstanding() == 0) connection_->close();
  connection_.reset();
  if (attempt_thread_.joinable()) attempt_thread_.join();
  attempt_ = {};
  leaving_.reset();
}

void Sender::write() {
  waits_for_space_ = more_to_write_ = false;
  if (!blocked_.empty()) return;
  Cork cork;
  std::size_t room = 0;
  while (writer_.busy() || begin_next()) {
    if (room < writer_.next_size()) {
      more_to_write_ = true;
      if (cork.is_on()) return;
      if (waits_for_space_ = !writable(connection_->socket()); waits_for_space_) return;
      cork.put_on(connection_->socket());
      room = burst;
      more_to_write_ = false;
    }
    room -= std::min(room, writer_.next_size());
    if (const int status = writer_.send_frame(connection_->get(), publishing_channel); status != AMQP_STATUS_OK)
      return lost(std::string("the connection failed while sending: ") + amqp_error_string2(status));
    if (!writer_.busy()) message_written();
    if (!connection_) return;
  }
}

/// False: nothing can be begun now.
bool Sender::begin_next() {
  if (committing_ || rolling_back_) return false;
  if (!transactional() && window_.outstanding() >= options_.window) return false;
  const auto ticket = queue_.next();
  if (!ticket) return false;
  const RabbitOutgoing& message = book_.find(*ticket)->message;
  if (window_.holds(message.id)) return false;  // a return could not be told apart
  queue_.sent();
  window_.sent(*ticket, message.id, steady_clock::now());
  writing_ = *ticket;
  writer_.begin(message);
  return true;
}

void Sender::message_written() {
  Request* request = book_.find(writing_);
  if (!transactional()) {
    request->maybe_stored = true;
    return;
  }
  if (!request->ends_batch) return;
  amqp_tx_commit_t commit{};
  committing_ = true;
  for (const Ticket ticket : window_.tickets())
    if (Request* of_transaction = book_.find(ticket)) of_transaction->maybe_stored = true;
  if (const int status = amqp_send_method(connection_->get(), publishing_channel, AMQP_TX_COMMIT_METHOD, &commit);
      status != AMQP_STATUS_OK)
    lost(std::string("the connection failed while committing: ") + amqp_error_string2(status));
}

void Sender::send_nacked_again(TimePoint now) {
  for (; !nacked_.empty() && nacked_.front().first <= now; nacked_.pop_front())
    if (book_.find(nacked_.front().second)) queue_.add(nacked_.front().second);
}

void Sender::expire(TimePoint now) {
  while (const auto ticket = book_.expired(now)) expire_one(*ticket);
}

void Sender::expire_one(Ticket ticket) {
  const Request& request = *book_.find(ticket);
  const bool maybe = request.maybe_stored, nacked = request.nacked;
  const bool half_written = writer_.busy() && writing_ == ticket;
  if (transactional() && !maybe && !committing_ && window_.outstanding() > 0 && !half_written)
    roll_back("the transaction was rolled back after " + after_give_up());
  queue_.drop(ticket);
  if (maybe)
    book_.settle(ticket, Known::unknown, "sent, and no answer came in " + after_give_up());
  else if (nacked)
    book_.settle(ticket, Known::refused, std::string(nack_reason) + ", for " + after_give_up());
  else
    book_.settle(ticket, Known::refused, "not sent in " + after_give_up());
  // The channel waits for the rest of it.
  if (half_written) lost("a message could not be written to its end");
}

}  // namespace idem::rabbit
